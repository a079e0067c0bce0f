"""The network: its layers, parameters and FLOPs, by hand; its function, by NumPy."""

import keras
import numpy as np
import pytest

from mnist_cnn.model import (
    build_cnn,
    forward_flops_per_image,
    training_bytes_per_image,
    training_flops_per_image,
)

# layer, output shape, parameters by hand
ARTICLE = [
    ("Conv2D", (28, 28, 32), 3 * 3 * 1 * 32 + 32),  # 320
    ("MaxPooling2D", (14, 14, 32), 0),
    ("Conv2D", (14, 14, 64), 3 * 3 * 32 * 64 + 64),  # 18,496
    ("MaxPooling2D", (7, 7, 64), 0),
    ("Conv2D", (7, 7, 64), 3 * 3 * 64 * 64 + 64),  # 36,928
    ("Flatten", (3136,), 0),
    ("Dense", (64,), 3136 * 64 + 64),  # 200,768
    ("Dense", (10,), 64 * 10 + 10),  # 650
]
DROPOUT = [
    *ARTICLE[:2],
    ("Dropout", (14, 14, 32), 0),
    *ARTICLE[2:4],
    ("Dropout", (7, 7, 64), 0),
    *ARTICLE[4:7],
    ("Dropout", (64,), 0),
    ARTICLE[7],
]
VARIANTS = ["article", "batchnorm", "dropout", "batchnorm_dropout"]


def with_batchnorm(layers: list[tuple]) -> list[tuple]:
    """After each convolution: a normalisation of 4 values per channel, then the activation."""
    normalised = []
    for layer in layers:
        name, shape, _ = layer
        normalised.append(layer)
        if name == "Conv2D":
            normalised += [("BatchNormalization", shape, 4 * shape[-1]), ("ReLU", shape, 0)]
    return normalised


def layers_of(model: keras.Model) -> list[tuple]:
    return [(type(layer).__name__, layer.output.shape[1:], layer.count_params()) for layer in model.layers]


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("article", ARTICLE),
        ("batchnorm", with_batchnorm(ARTICLE)),
        ("dropout", DROPOUT),
        ("batchnorm_dropout", with_batchnorm(DROPOUT)),
    ],
)
def test_layers_are_those_of_the_table(variant, expected):
    """Each variant's layers, output shapes and parameter counts are those counted by hand."""
    assert layers_of(build_cnn(variant)) == expected


@pytest.mark.parametrize(
    ("variant", "parameters", "trainable"),
    [("article", 257_162, 257_162), ("dropout", 257_162, 257_162), ("batchnorm", 257_802, 257_482)],
)
def test_parameter_count_is_the_published_one(variant, parameters, trainable):
    """The network has 257,162 parameters; batch-norm adds 4 per channel, of which 2 are trained."""
    model = build_cnn(variant)
    assert model.count_params() == parameters
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == trainable


def test_dropout_rates_are_the_published_ones():
    """A quarter is dropped after each pooling and a half before the last layer."""
    layers = build_cnn("dropout").layers
    assert [layer.rate for layer in layers if isinstance(layer, keras.layers.Dropout)] == [0.25, 0.25, 0.5]


@pytest.mark.parametrize("variant", VARIANTS)
def test_flops_are_those_counted_by_hand(variant):
    """A forward pass costs 11,692,288 FLOPs and a training step 34,625,280, whatever the variant.

    Two FLOPs per multiply-add, positions × outputs × inputs; a training step repeats each layer's work for
    the gradient of its weights and of its input, except for the first, whose input needs none.
    """
    conv1 = 2 * (28 * 28) * 32 * (3 * 3 * 1)  # 451,584
    conv2 = 2 * (14 * 14) * 64 * (3 * 3 * 32)  # 7,225,344
    conv3 = 2 * (7 * 7) * 64 * (3 * 3 * 64)  # 3,612,672
    dense1 = 2 * 64 * 3136  # 401,408
    dense2 = 2 * 10 * 64  # 1,280
    forward = conv1 + conv2 + conv3 + dense1 + dense2
    assert (forward, 2 * conv1 + 3 * (conv2 + conv3 + dense1 + dense2)) == (11_692_288, 34_625_280)
    model = build_cnn(variant)
    assert forward_flops_per_image(model) == 11_692_288
    assert training_flops_per_image(model) == 34_625_280


OUTPUTS = 28 * 28 * 32 + 14 * 14 * 32 + 14 * 14 * 64 + 7 * 7 * 64 + 7 * 7 * 64 + 64 + 10
"""Values that the article's layers hand on for one image; flattening makes none."""


def built(name: str, model: keras.Model) -> keras.Optimizer:
    optimizer = keras.optimizers.get(name)
    optimizer.build(model.trainable_variables)
    return optimizer


@pytest.mark.parametrize(("name", "slots"), [("sgd", 0), ("rmsprop", 1), ("adam", 2)])
def test_bytes_are_those_counted_by_hand(name, slots):
    """Five times each output, twice the image, and a 200th of six times the weights and twice each slot: float32."""
    model = build_cnn()
    weights = 257_162 * 4 * (6 + 2 * slots)
    expected = 5 * 4 * OUTPUTS + 2 * 4 * 784 + round(weights / 200)
    assert training_bytes_per_image(model, built(name, model), 200) == expected


def test_a_larger_batch_shares_the_weights_and_normalisation_adds_outputs():
    """Per image a single one moves all of the weights; batch-norm and its activation hand on two more outputs each."""
    model = build_cnn()
    optimizer = built("rmsprop", model)
    alone, many = (training_bytes_per_image(model, optimizer, batch) for batch in (1, 257_162 * 8))
    assert (alone, many) == (5 * 4 * OUTPUTS + 2 * 4 * 784 + 257_162 * 32, 5 * 4 * OUTPUTS + 2 * 4 * 784 + 4)
    normalised = build_cnn("batchnorm")
    more = 2 * (28 * 28 * 32 + 14 * 14 * 64 + 7 * 7 * 64)
    bytes_per_image = training_bytes_per_image(normalised, built("rmsprop", normalised), 10**9)
    assert bytes_per_image == 5 * 4 * (OUTPUTS + more) + 2 * 4 * 784


def test_half_precision_halves_what_layers_hand_on(half_precision):
    """Outputs but the float32 probabilities and the images are of two bytes; loss scaling adds nothing per weight."""
    model = build_cnn()
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.RMSprop())
    optimizer.build(model.trainable_variables)
    expected = 5 * (2 * (OUTPUTS - 10) + 4 * 10) + 2 * 2 * 784 + round(257_162 * 32 / 200)
    assert training_bytes_per_image(model, optimizer, 200) == expected


def convolve(images: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = images.shape[1:3]
    windows = [padded[:, y : y + height, x : x + width] @ kernel[y, x] for y in range(3) for x in range(3)]
    return np.maximum(sum(windows) + bias, 0)


def pool(images: np.ndarray) -> np.ndarray:
    examples, height, width, channels = images.shape
    return images.reshape(examples, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))


def test_prediction_is_numpys_forward_pass(embedded):
    """The network computes conv-ReLU-pool twice, conv-ReLU, dense-ReLU and softmax, as NumPy does in float64."""
    keras.utils.set_random_seed(0)
    model = build_cnn()
    rng = np.random.default_rng(0)
    weights = [weight + rng.normal(0, 0.05, weight.shape) for weight in model.get_weights()]  # biases start at 0
    model.set_weights(weights)
    images = embedded.test.images[:5, ..., None] / 255.0
    hidden = pool(convolve(images, *weights[0:2]))
    hidden = convolve(pool(convolve(hidden, *weights[2:4])), *weights[4:6])
    logits = np.maximum(hidden.reshape(5, -1) @ weights[6] + weights[7], 0) @ weights[8] + weights[9]
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = model.predict(images, verbose=0)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, odds / odds.sum(axis=1, keepdims=True), atol=1e-5)


def test_dropout_and_batchnorm_act_in_training_only(embedded):
    """In training mode the dropout variant differs from call to call and batch-norm from inference."""
    images = embedded.test.images[:8, ..., None] / np.float32(255)
    dropout, batchnorm = build_cnn("dropout"), build_cnn("batchnorm")
    assert np.ptp([dropout(images, training=True) for _ in range(2)], axis=0).max() > 1e-3
    assert np.ptp([dropout(images, training=False) for _ in range(2)], axis=0).max() == 0
    assert np.abs(batchnorm(images, training=True) - batchnorm(images, training=False)).max() > 1e-3


def test_mixed_precision_keeps_probabilities_in_float32(half_precision):
    """Under mixed_float16 the layers compute in float16 but weights and probabilities are float32."""
    model = build_cnn()
    assert {layer.compute_dtype for layer in model.layers[:-1]} == {"float16"}
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert model.outputs[0].dtype == "float32"
