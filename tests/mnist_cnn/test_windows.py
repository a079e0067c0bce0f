"""The conversation between an engine and whoever asks for windows, and the epochs built on it."""

from itertools import islice

import numpy as np
import pytest

from mnist_cnn.pipeline import build_pipeline
from mnist_cnn.settings import TrainingSettings
from mnist_cnn.training import Training, train_epochs

ENGINES = [("step", "real"), ("fit", "real"), ("fused", "real"), ("fused", "resident")]
STEPS = [3, 1, 10, 6]


class Asker:
    """Answers with windows from a list, then 0, and keeps what it was told."""

    def __init__(self, *steps: int):
        self.answers = iter([*steps, 0])
        self.told: list = []

    def __call__(self, progress):
        self.told.append(progress)
        return next(self.answers)


def outcomes(training: Training, tiny) -> tuple[np.ndarray, np.ndarray]:
    """Loss and correctness of every training image in the order of two epochs, from Keras's own predict."""
    pixels = tiny.train.images[..., None] / np.float32(255)
    probabilities = training.model.predict(pixels, verbose=0)
    right = probabilities.argmax(axis=1) == tiny.train.labels
    losses = -np.log(probabilities[np.arange(80), tiny.train.labels])
    pipeline = build_pipeline("resident", tiny.train, 4, training.settings.seed)
    order = np.concatenate([batch[0] for batch in islice(pipeline.as_numpy_iterator(), 40)])
    return losses[order], right[order]


@pytest.mark.parametrize(("engine", "input_"), ENGINES)
def test_windows_report_what_they_did(build, tiny, engine, input_):
    """Each window tells its steps, its images' mean loss and the share classified right, of itself alone."""
    training = build(engine=engine, input=input_, optimizer="sgd", learning_rate=0.0)  # weights stay
    losses, right = outcomes(training, tiny)
    asker = Asker(*STEPS)
    training.train(asker)
    assert asker.told[0] is None
    windows = np.split(np.arange(80), np.cumsum(STEPS) * 4)[:-1]
    assert len(asker.told) == 1 + len(windows)
    for progress, steps, window in zip(asker.told[1:], STEPS, windows, strict=True):
        assert progress.steps == steps
        assert progress.loss == pytest.approx(losses[window].mean(), rel=1e-5)
        assert progress.accuracy == pytest.approx(right[window].mean(), abs=1e-6)


@pytest.mark.parametrize(("engine", "input_"), ENGINES)
def test_windows_train_as_many_steps_as_asked(build, reference, furthest, engine, input_):
    """Windows of 3, 1, 10 and 6 steps end where one window of 20 ends."""
    training = build(engine=engine, input=input_, optimizer="sgd")
    training.train(Asker(*STEPS))
    assert int(training.optimizer.iterations) == 20
    assert furthest(training, reference("sgd")) < 1e-6  # rounding; see test_engines.py


@pytest.mark.parametrize(("engine", "input_"), ENGINES)
def test_zero_at_once_trains_nothing(build, furthest, engine, input_):
    """An engine told 0 at its first question asks no more and leaves the weights alone."""
    training, asker = build(engine=engine, input=input_), Asker()
    training.train(asker)
    assert asker.told == [None]
    assert furthest(training, build()) == 0


def test_fit_with_resident_input_is_refused(build):
    """`fit` × `resident` cannot be, and the refusal says why."""
    with pytest.raises(ValueError, match="fit × resident: Keras fit cannot look images up inside its step"):
        build(engine="fit", input="resident")


@pytest.mark.parametrize("engine", ["step", "fit", "fused"])
def test_synthetic_input_trains(build, engine):
    """On one synthetic batch for ever, every engine learns that batch by heart."""
    training, asker = build(engine=engine, input="synthetic"), Asker(20, 20, 20)
    training.train(asker)
    first, _, last = (progress.loss for progress in asker.told[1:])
    assert last < 0.5 * first


@pytest.mark.parametrize("engine", ["step", "fit", "fused"])
def test_loss_is_that_of_the_logits(build, tiny, engine):
    """A confident mistake costs its whole loss, far beyond the 16.1 that a clipped probability would show."""
    training = build(engine=engine, optimizer="sgd", learning_rate=0.0)
    training.model.set_weights([6 * weight for weight in training.model.get_weights()])  # logits 6⁵ times as far apart
    asker = Asker(20)
    training.train(asker)
    assert asker.told[1].loss > 100
    assert asker.told[1].loss == pytest.approx(training.evaluate(tiny.train)[0], rel=1e-5)


def test_epochs_are_trained_evaluated_and_told(tiny):
    """A run of 3 epochs tells of each as it ends, with the figures its model has then."""
    training = Training(TrainingSettings(global_batch=4, epochs=3), tiny)
    told, evaluated = [], []

    def on_epoch(epoch):
        told.append(epoch)
        evaluated.append(training.evaluate(tiny.test))

    history = train_epochs(training, tiny.test, on_epoch)
    assert history == told
    assert [epoch.epoch for epoch in history] == [1, 2, 3]
    assert [(epoch.test_loss, epoch.test_accuracy) for epoch in history] == evaluated
    assert int(training.optimizer.iterations) == 60
    assert history[0].train_loss > history[2].train_loss
    assert all(epoch.train_s > 0 and epoch.evaluate_s > 0 for epoch in history)
