"""Evaluation: the figures are Keras's own."""

import keras
import numpy as np
import pytest

from mnist_cnn.dataset import Split
from mnist_cnn.training import EVALUATION_BATCH


def by_keras(trained, split: Split) -> list[float]:
    model = keras.models.clone_model(trained)
    model.set_weights(trained.get_weights())
    model.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    return model.evaluate(split.images[..., None] / np.float32(255), np.eye(10)[split.labels], verbose=0)


@pytest.mark.parametrize("examples", [1, EVALUATION_BATCH, EVALUATION_BATCH + 234])
def test_evaluation_is_keras_own(reference, embedded, examples):
    """Loss and accuracy are those of Keras's evaluate, also where the batch does not divide the split."""
    split = Split(embedded.test.images[:examples], embedded.test.labels[:examples])
    training = reference("rmsprop")
    assert training.evaluate(split) == pytest.approx(by_keras(training.model, split), rel=1e-5)


@pytest.mark.parametrize("variant", ["batchnorm", "dropout"])
def test_variants_are_evaluated_in_inference_mode(reference, tiny, variant):
    """Evaluation drops nothing and normalises by the moving statistics, as Keras's does."""
    training = reference("sgd", variant)
    assert training.evaluate(tiny.test) == pytest.approx(by_keras(training.model, tiny.test), rel=1e-5)
    assert training.evaluate(tiny.test) == training.evaluate(tiny.test)


def test_confident_mistakes_count_in_full(build, tiny):
    """A probability too small for float32 counts with its true loss, as in Keras's evaluate."""
    training = build()
    training.model.set_weights([6 * weight for weight in training.model.get_weights()])
    loss, accuracy = training.evaluate(tiny.test)
    assert loss > 100
    assert (loss, accuracy) == pytest.approx(by_keras(training.model, tiny.test), rel=1e-5)


def test_evaluation_follows_training(build, tiny):
    """A later evaluation sees the weights of then, not those of the first."""
    training = build()
    before = training.evaluate(tiny.test)
    training.train(lambda progress: 20 if progress is None else 0)
    after = training.evaluate(tiny.test)
    assert after[0] != before[0]
    assert after == pytest.approx(by_keras(training.model, tiny.test), rel=1e-5)
