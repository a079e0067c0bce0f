"""Two replicas train what one does, and agree on when a float16 step is to be skipped."""

from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_cnn.engines import Progress
from mnist_cnn.training import Training, agree_on_finite


def copies(variable: keras.Variable) -> list[np.ndarray]:
    """The values of a variable, one per replica."""
    return [copy.numpy() for copy in getattr(variable.value, "values", (variable.value,))]


@pytest.fixture(scope="module")
def in_windows(build) -> Callable[..., tuple[Training, list[Progress]]]:
    """Trains windows of 7 and 13 steps; the training and what its windows told."""

    def in_windows(**settings) -> tuple[Training, list[Progress]]:
        told: list[Any] = []
        asked = iter([7, 13, 0])
        training = build(**settings)
        training.train(lambda progress: (told.append(progress), next(asked))[1])
        return training, told[1:]

    return cache(in_windows)


@pytest.mark.parametrize(
    ("engine", "input_", "optimizer"),
    [
        ("step", "real", "sgd"),
        ("fit", "real", "sgd"),
        ("fused", "real", "sgd"),
        ("step", "resident", "sgd"),
        ("fused", "resident", "sgd"),
        ("step", "real", "rmsprop"),
    ],
)
def test_two_replicas_train_like_one(mirrored, in_windows, furthest, engine, input_, optimizer):
    """Two replicas on halves of the same global batches tell of the same windows and end with the weights of one.

    So none sees another order: two batches swapped would move weights a thousand times further.
    """
    one, told_by_one = in_windows(optimizer=optimizer)
    two, told_by_two = in_windows(optimizer=optimizer, strategy=mirrored, engine=engine, input=input_)
    assert (one.replicas, two.replicas) == (1, 2)
    assert furthest(two, one) < {"sgd": 1e-6, "rmsprop": 1e-5}[optimizer]  # derived in test_engines.py
    for of_one, of_two in zip(told_by_one, told_by_two, strict=True):
        assert of_two.steps == of_one.steps
        assert of_two.loss == pytest.approx(of_one.loss, rel=1e-5)
        assert of_two.accuracy == pytest.approx(of_one.accuracy, abs=1e-6)


@pytest.fixture(scope="module")
def central() -> tf.distribute.Strategy:
    return tf.distribute.experimental.CentralStorageStrategy(["CPU:0", "CPU:1"])


@pytest.mark.parametrize(
    ("engine", "input_", "optimizer"),
    [("step", "real", "sgd"), ("fit", "real", "sgd"), ("fused", "resident", "sgd"), ("fused", "real", "rmsprop")],
)
def test_central_storage_trains_like_one(central, in_windows, furthest, engine, input_, optimizer):
    """Two replicas on one copy of the weights tell of the same windows and end with the weights of one device."""
    one, told_by_one = in_windows(optimizer=optimizer)
    two, told_by_two = in_windows(optimizer=optimizer, strategy=central, engine=engine, input=input_)
    assert (two.replicas, len(copies(two.model.trainable_variables[0]))) == (2, 1)
    assert furthest(two, one) < {"sgd": 1e-6, "rmsprop": 1e-5}[optimizer]  # derived in test_engines.py
    assert [told.loss for told in told_by_two] == pytest.approx([told.loss for told in told_by_one], rel=1e-5)


class OtherMirrored(tf.distribute.MirroredStrategy):
    """A second one in this process, with collective keys that the session's, of two devices, does not have."""

    _collective_key_base = 1000


@cache
def strategy_of(name: str, replicas: int) -> tf.distribute.Strategy:
    """One for all tests of so many replicas: a second one would meet the first one's collective keys."""
    devices = [f"CPU:{place}" for place in range(replicas)]
    if name == "one_device":
        return tf.distribute.OneDeviceStrategy(devices[0])
    if name == "mirrored":
        return OtherMirrored(devices)
    return tf.distribute.experimental.CentralStorageStrategy(devices)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
@pytest.mark.parametrize(
    ("strategy", "replicas"),
    [("one_device", 1), ("mirrored", 1), ("central_storage", 1), ("mirrored", 4), ("central_storage", 4)],
)
def test_as_many_replicas_train_like_no_strategy(in_windows, furthest, strategy, replicas, optimizer):
    """One replica, or four on an image each, end with the weights of a training without any strategy."""
    one, told_by_one = in_windows(optimizer=optimizer)
    several, told = in_windows(optimizer=optimizer, strategy=strategy_of(strategy, replicas))
    assert several.replicas == replicas
    assert furthest(several, one) < {"sgd": 1e-6, "rmsprop": 1e-5}[optimizer]  # derived in test_engines.py
    assert [window.loss for window in told] == pytest.approx([window.loss for window in told_by_one], rel=1e-5)


@pytest.mark.parametrize("variant", ["batchnorm", "dropout"])
def test_central_storage_refuses_the_variants(central, train, variant):
    """Keras assigns moving statistics and seeds in each replica: why the planner calls these cells unsupported."""
    with pytest.raises(ValueError, match="AggregatingVariable"):
        train(strategy=central, variant=variant)


def test_central_storage_refuses_loss_scaling(central, train, half_precision):
    """So does it with the loss scale of mixed_float16; should a later Keras mend any, the planner may allow it."""
    with pytest.raises(ValueError, match="Cond"):
        train(strategy=central)


def test_central_storage_of_one_replica_takes_all(train, furthest, half_precision):
    """One replica has plain variables: it trains every variant, with loss scaling, as no strategy does."""
    one = tf.distribute.experimental.CentralStorageStrategy(["CPU:0"])
    central, plain = (
        train(steps=6, strategy=strategy, variant="batchnorm_dropout", optimizer="sgd") for strategy in (one, None)
    )
    assert central.optimizer.iterations.numpy() == plain.optimizer.iterations.numpy() > 0
    assert central.optimizer.dynamic_scale.numpy() == plain.optimizer.dynamic_scale.numpy()
    assert furthest(central, plain) < 1e-6


def test_variants_train_alike_on_two_replicas(mirrored, train, furthest):
    """With dropout and batch-norm the replicas' copies stay equal, and `fit` ends with the weights of `step`.

    One replica would end elsewhere: masks and statistics are of half the batch.
    """
    step, fit = (
        train(strategy=mirrored, engine=engine, variant="batchnorm_dropout", optimizer="sgd")
        for engine in ("step", "fit")
    )
    for weight in step.model.trainable_weights:
        first, second = copies(weight)
        np.testing.assert_array_equal(first, second)
    assert furthest(fit, step) < 1e-6


@pytest.mark.parametrize("engine", ["step", "fit", "fused"])
def test_moving_statistics_are_each_replicas_own(mirrored, train, tiny, engine):
    """The replicas' differ after training, and the first's are evaluated: spoilt ones of the second change nothing."""
    training = train(strategy=mirrored, engine=engine, variant="batchnorm", optimizer="sgd")
    moving = training.model.non_trainable_weights
    assert len(moving) == 6  # a mean and a variance after each of three convolutions
    assert not any(np.array_equal(*copies(statistic)) for statistic in moving)
    before = training.evaluate(tiny.test)
    for replica, same in ((1, True), (0, False)):
        for statistic in moving:
            copy = statistic.value.values[replica]
            copy.assign(3 * copy + 1)
        assert (training.evaluate(tiny.test) == before) == same


def test_replicas_draw_the_same_dropout_masks(mirrored, build):
    """The same image has the same outcome on both, and another one when it is drawn anew: as a row's note says."""
    model, image = build(strategy=mirrored, variant="dropout").model, tf.ones((1, 28, 28, 1))

    @tf.function
    def outcomes():
        return mirrored.experimental_local_results(mirrored.run(lambda: model(image, training=True)))

    (first, second), (again, _) = outcomes(), outcomes()
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - again).max() > 1e-4


def test_two_replicas_evaluate_like_one(mirrored, build, tiny):
    """Evaluation under a strategy is that of the same weights without one."""
    assert build(strategy=mirrored).evaluate(tiny.test) == pytest.approx(build().evaluate(tiny.test), rel=1e-6)


def scaled_step(strategy, gradients: list[float], agree: bool) -> tuple[list, list]:
    """One step of a loss-scaled SGD from weight 1 with one gradient per replica; all copies of weight and scale."""
    with strategy.scope():
        weight = keras.Variable(1.0)
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0), initial_scale=8.0)
        optimizer.build([weight])

    @tf.function
    def step(gradient):
        strategy.run(lambda g: optimizer.apply(agree_on_finite([g]) if agree else [g], [weight]), args=(gradient,))

    planted = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(gradients[context.replica_id_in_sync_group])
    )
    step(planted)
    return copies(weight), copies(optimizer.dynamic_scale)


def test_keras_alone_lets_one_replicas_infinity_through(mirrored):
    """Keras's own loss scaling looks at each replica alone: an infinity on the second ruins the weights.

    This is why `agree_on_finite` exists. Should a later Keras mend it, this fails and both can go.
    """
    weights, _ = scaled_step(mirrored, [0.8, np.inf], agree=False)
    assert not np.isfinite(weights).all()


@pytest.mark.parametrize("gradients", [[0.8, np.inf], [-np.inf, 0.8], [np.nan, 0.8], [np.inf, -np.inf]])
def test_one_replicas_infinity_is_everyones(mirrored, gradients):
    """With `agree_on_finite` all replicas skip the step and halve their scale, wherever the infinity was."""
    assert scaled_step(mirrored, gradients, agree=True) == ([1.0, 1.0], [4.0, 4.0])


def test_finite_gradients_are_left_alone(mirrored):
    """With finite gradients `agree_on_finite` changes nothing: unscaled, summed over replicas, applied."""
    assert scaled_step(mirrored, [0.8, 2.4], agree=True) == (pytest.approx([0.6, 0.6]), [8.0, 8.0])


def plant(strategy, broken: bool) -> tuple:
    """A global batch of 4 for two replicas, the second's images infinite if `broken`."""
    rng = np.random.default_rng(0)
    images, labels = rng.random((4, 28, 28, 1), np.float32), np.eye(10, dtype=np.float32)[:4]
    if broken:
        images[2:] = np.inf

    def share(array):
        parts = np.split(array, 2)
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    return share(images), share(labels)


def test_training_skips_a_step_that_one_replica_cannot_take(mirrored, build, half_precision):
    """An infinity on the second replica leaves a mixed_float16 model as it was, but halves its scale."""
    training = build(strategy=mirrored, optimizer="sgd")
    assert isinstance(training.optimizer, keras.optimizers.LossScaleOptimizer)
    scales = copies(training.optimizer.dynamic_scale)
    before = training.model.get_weights()
    step = tf.function(training.global_step)
    step(plant(mirrored, broken=True))
    for weight, kept in zip(training.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)
    assert copies(training.optimizer.dynamic_scale) == [scale / 2 for scale in scales]
    assert copies(training.optimizer.iterations) == [0, 0]
    step(plant(mirrored, broken=False))
    moved = [np.abs(a - b).max() for a, b in zip(training.model.get_weights(), before, strict=True)]
    assert 0 < max(moved) < np.inf
    assert copies(training.optimizer.iterations) == [1, 1]


@pytest.mark.parametrize(("engine", "replicas"), [("step", 1), ("fit", 1), ("step", 2), ("fused", 2)])
def test_mixed_precision_trains(mirrored, build, half_precision, engine, replicas):
    """In mixed_float16 the loss falls with loss scaling, on one replica and on two."""
    training = build(strategy=mirrored if replicas == 2 else None, engine=engine)
    told = []
    asked = iter([20, 20, 20, 0])
    training.train(lambda progress: (told.append(progress), next(asked))[1])
    assert isinstance(training.optimizer, keras.optimizers.LossScaleOptimizer)
    assert training.model.layers[0].compute_dtype == "float16"
    assert told[3].loss < 0.7 * told[1].loss
    assert copies(training.optimizer.iterations) == [60] * replicas  # no step was skipped
