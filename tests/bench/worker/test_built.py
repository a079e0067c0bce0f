"""What a training was built as is told by what was built."""

from pathlib import Path
from typing import Any, get_args

import keras
import pytest
import tensorflow as tf

from bench.worker.built import drawn_from, engine_of, input_of, recipe_of, variant_of
from mnist_cnn.dataset import Dataset, load_dataset
from mnist_cnn.model import build_cnn
from mnist_cnn.pipeline import Share, build_pipeline
from mnist_cnn.recipes import build_optimizer
from mnist_cnn.settings import Engine, Input, TrainingSettings, Variant
from mnist_cnn.training import Training

COMBINED = [
    (engine, kind) for engine in get_args(Engine) for kind in get_args(Input) if (engine, kind) != ("fit", "resident")
]


@pytest.fixture(scope="module")
def small_dataset(small_data: Path) -> Dataset:
    """The small data set, read once."""
    return load_dataset(small_data)


def trained(dataset: Dataset, strategy: tf.distribute.Strategy | None = None, **settings: Any) -> Training:
    """A training after its first step."""
    training = Training(TrainingSettings(global_batch=20, **settings), dataset, strategy)
    training.train(lambda progress: 1 if progress is None else 0)
    return training


@pytest.mark.parametrize(("engine", "kind"), COMBINED)
def test_engine_and_input_are_those_that_ran(small_dataset: Dataset, engine: Engine, kind: Input) -> None:
    """Every engine on every input it takes is told apart from all others."""
    training = trained(small_dataset, engine=engine, input=kind)
    assert (engine_of(training), input_of(training)) == (engine, kind)


@pytest.mark.parametrize("engine", ["step", "fused"])
def test_a_program_of_xla_is_told_by_its_loop_too(small_dataset: Dataset, engine: Engine) -> None:
    """The loop of a window that XLA compiles is inside, where indices are drawn, and in no single step."""
    assert engine_of(trained(small_dataset, engine=engine, input="resident", xla=True)) == engine


@pytest.mark.parametrize("kind", ["real", "synthetic"])
@pytest.mark.parametrize(
    "share", [None, Share(worker=1, workers=2, replicas=1), Share(worker=0, workers=1, replicas=4)]
)
def test_input_of_a_worker_is_that_of_all(small_dataset: Dataset, kind: Input, share: Share | None) -> None:
    """A worker whose replicas take their share of one batch over and over has no other input by that."""
    pipeline = build_pipeline(kind, small_dataset.train, 40, 1, share)
    assert drawn_from(pipeline, share.replicas if share else 1) == kind


def test_a_loop_within_a_step_is_no_engine(small_dataset: Dataset) -> None:
    """Somebody's step may loop over layers or parts of a batch; only a loop that draws batches makes windows."""
    training = trained(small_dataset, engine="step")

    @tf.function
    def step(iterator: Any) -> Any:
        images, _ = next(iterator)
        for _ in tf.range(3):
            images = images * 0.5
        return images

    step(training.iterator())
    training.program = step
    assert engine_of(training) == "step"


@pytest.mark.parametrize("variant", get_args(Variant))
def test_variant_is_told_by_the_layers(variant: Variant) -> None:
    """Each of the four networks is told apart from the others."""
    assert variant_of(build_cnn(variant)) == variant


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, ("article", 0.001)),
        ({"optimizer": "sgd"}, ("article", 0.01)),
        ({"learning_rate": 0.00045}, ("article", 0.00045)),
        ({"learning_rate": "linear", "global_batch": 400}, ("article", 0.002)),
        ({"recipe": "tuned"}, ("tuned", 0.002)),
        ({"recipe": "tuned", "learning_rate": 0.5}, ("tuned", 0.5)),
        ({"learning_rate": 1e300}, ("article", None)),
        ({"learning_rate": 1e300, "recipe": "tuned"}, ("tuned", None)),
    ],
)
def test_recipe_is_told_by_the_learning_rate(settings: dict[str, Any], told: tuple[str, float | None]) -> None:
    """A constant is the article's, a schedule the tuned one, of which the highest rate is told."""
    assert recipe_of(build_optimizer(TrainingSettings(**settings), steps_per_epoch=300)) == told


class Homemade(keras.optimizers.schedules.LearningRateSchedule):
    """Tells nothing of itself."""

    def __call__(self, step: Any) -> Any:
        return 0.5 / (1.0 + step)


@pytest.mark.parametrize(
    ("schedule", "highest"),
    [
        (keras.optimizers.schedules.ExponentialDecay(0.25, decay_steps=10, decay_rate=0.5), 0.25),
        (keras.optimizers.schedules.PiecewiseConstantDecay([10], [0.25, 0.5]), None),
        (Homemade(), None),
        (lambda: 0.25, None),
    ],
)
def test_recipe_is_that_of_any_schedule(schedule: Any, highest: float | None) -> None:
    """Whatever somebody's tuned recipe has; a rate that its schedule does not tell is not told."""
    assert recipe_of(keras.optimizers.SGD(schedule)) == ("tuned", highest)
