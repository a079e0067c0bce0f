"""Learning rates: the rules by global batch, and the schedules of the two recipes."""

import keras
import numpy as np
import pytest

from mnist_cnn.recipes import ARTICLE_RATES, TUNED_PEAK_OVER_ARTICLE, TUNED_WARMUP_SHARE, build_optimizer
from mnist_cnn.recipes import peak_learning_rate as peak
from mnist_cnn.settings import TrainingSettings

KERAS_OPTIMIZERS = {"rmsprop": keras.optimizers.RMSprop, "sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}


def rates(settings: TrainingSettings, steps_per_epoch: int, steps: int) -> np.ndarray:
    """The learning rate of each step, as the optimizer itself reports it."""
    optimizer = build_optimizer(settings, steps_per_epoch)
    found = []
    for step in range(steps):
        optimizer.iterations.assign(step)
        found.append(float(optimizer.learning_rate))
    return np.array(found)


@pytest.mark.parametrize(
    ("rule", "global_batch", "expected"),
    [
        (None, 200, 1e-3),
        (None, 3200, 1e-3),
        ("linear", 200, 1e-3),
        ("linear", 800, 4e-3),
        ("linear", 50, 2.5e-4),
        ("sqrt", 200, 1e-3),
        ("sqrt", 800, 2e-3),
        ("sqrt", 50, 5e-4),
        (0.3, 800, 0.3),
        (0, 800, 0.0),
    ],
)
def test_rate_follows_the_rule_by_global_batch(rule, global_batch, expected):
    """From RMSprop's 1e-3 at batch 200, linear multiplies by the ratio, sqrt by its root, a value replaces it."""
    assert peak(TrainingSettings(learning_rate=rule, global_batch=global_batch)) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["rmsprop", "sgd", "adam"])
def test_article_recipe_is_keras_own_default(name):
    """The article's optimizer is Keras's of that name, with every default kept, its rate included."""
    built = build_optimizer(TrainingSettings(optimizer=name), 300)
    default = KERAS_OPTIMIZERS[name]()
    assert type(built) is type(default)
    assert {**built.get_config(), "name": ""} == {**default.get_config(), "name": ""}


def test_article_rate_is_constant():
    """The article recipe trains its last step at the rate of its first."""
    assert np.ptp(rates(TrainingSettings(), steps_per_epoch=4, steps=40)) == 0


def test_tuned_peak_is_the_published_one():
    """The tuned recipe reaches 2e-3 with RMSprop at batch 200, and scales from there."""
    tuned = TrainingSettings(recipe="tuned")
    assert peak(tuned) == pytest.approx(2e-3)
    assert rates(tuned, steps_per_epoch=30, steps=300).max() == pytest.approx(2e-3)
    assert peak(TrainingSettings(recipe="tuned", learning_rate="linear", global_batch=800)) == pytest.approx(8e-3)


@pytest.mark.parametrize("optimizer", ["rmsprop", "sgd", "adam"])
def test_tuned_schedule_warms_up_then_decays_to_nothing(optimizer):
    """Over 10 epochs of 50 steps the rate rises for the share of warm-up, peaks, and falls to nearly 0."""
    steps, warmup = 500, round(TUNED_WARMUP_SHARE * 500)
    found = rates(TrainingSettings(recipe="tuned", optimizer=optimizer), steps_per_epoch=50, steps=steps + 1)
    highest = TUNED_PEAK_OVER_ARTICLE * ARTICLE_RATES[optimizer]
    assert warmup == 100  # a fifth
    assert found.argmax() == warmup
    assert found[warmup] == pytest.approx(highest)
    assert (np.diff(found[: warmup + 1]) > 0).all()
    assert (np.diff(found[warmup:]) < 0).all()
    assert 0 < found[0] < 0.2 * highest
    assert found[(warmup + steps) // 2] == pytest.approx(highest / 2)  # half way down a half cosine
    assert 0 < found[steps - 1] < 1e-3 * highest
    assert found[steps] == pytest.approx(0, abs=1e-9)


def test_schedule_without_an_end_lasts_one_epoch():
    """With 0 epochs, as long as asked, the schedule is that of one epoch."""
    endless = rates(TrainingSettings(recipe="tuned", epochs=0), steps_per_epoch=40, steps=41)
    one = rates(TrainingSettings(recipe="tuned", epochs=1), steps_per_epoch=40, steps=41)
    np.testing.assert_array_equal(endless, one)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_shortest_schedules_are_rates(steps):
    """A run too short for a warm-up still trains every step at a positive rate of at most the peak."""
    found = rates(TrainingSettings(recipe="tuned", epochs=1), steps_per_epoch=steps, steps=steps)
    assert ((found > 0) & (found < 2.001e-3)).all()
