"""Two replicas train what one does, and agree on when a float16 step is to be skipped."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_cnn.training import agree_on_finite


def copies(variable: keras.Variable) -> list[np.ndarray]:
    """The values of a variable, one per replica."""
    return [copy.numpy() for copy in getattr(variable.value, "values", (variable.value,))]


@pytest.mark.parametrize(
    ("engine", "input_"),
    [("step", "real"), ("fit", "real"), ("fused", "real"), ("step", "resident"), ("fused", "resident")],
)
@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
def test_two_replicas_train_like_one(mirrored, reference, train, furthest, engine, input_, optimizer):
    """Two replicas on halves of the same global batches end with the weights of one, up to rounding.

    So none sees another order: two batches swapped would move weights a thousand times further.
    """
    two = train(strategy=mirrored, engine=engine, input=input_, optimizer=optimizer)
    assert two.replicas == 2
    assert furthest(two, reference(optimizer)) < {"sgd": 1e-6, "rmsprop": 1e-5}[optimizer]  # derived in test_engines.py


@pytest.mark.parametrize("engine", ["step", "fit", "fused"])
def test_two_replicas_report_the_global_batch(mirrored, build, engine):
    """Progress of two replicas is that of one over the same images."""
    told = []
    for strategy in (None, mirrored):
        asked = iter([7, 13, 0])

        def next_window(progress, asked=asked):
            told.append(progress)
            return next(asked)

        build(strategy=strategy, engine=engine, optimizer="sgd").train(next_window)
    for one, two in zip(told[1:3], told[4:6], strict=True):
        assert two.steps == one.steps
        assert two.loss == pytest.approx(one.loss, rel=1e-5)
        assert two.accuracy == pytest.approx(one.accuracy, abs=1e-6)


def test_variants_train_alike_on_two_replicas(mirrored, train, furthest):
    """With dropout and batch-norm the replicas' copies stay equal, and every engine ends with the same weights.

    One replica would end elsewhere: masks and statistics are of half the batch.
    """
    engines = ("step", "fit", "fused")
    step, *others = (
        train(strategy=mirrored, engine=engine, variant="batchnorm_dropout", optimizer="sgd") for engine in engines
    )
    for weight in step.model.trainable_weights:
        first, second = copies(weight)
        np.testing.assert_array_equal(first, second)
    assert all(furthest(other, step) < 1e-6 for other in others)


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


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("engine", ["step", "fit", "fused"])
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
