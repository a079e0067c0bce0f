"""The network of the article, its variants, and what one image costs in parameters and FLOPs."""

import math
from typing import Any

import keras
from keras import layers

from mnist_cnn.settings import Variant

IMAGE_SHAPE = (28, 28, 1)
CLASSES = 10
POOL_DROPOUT = 0.25
DENSE_DROPOUT = 0.5


def build_cnn(variant: Variant = "article") -> keras.Model:
    """Build the network: (n, 28, 28, 1) float images in [0, 1] to (n, 10) float32 class probabilities.

    Conv32-Pool-Conv64-Pool-Conv64-Flatten-Dense64-Dense10, 3x3 kernels with padding "same": 257,162
    parameters. `batchnorm` normalises between each convolution and its ReLU (Ioffe & Szegedy 2015);
    `dropout` drops 25 % after each pooling and 50 % before the last layer (Srivastava et al. 2014).
    Seed Keras first (`keras.utils.set_random_seed`) for reproducible weights.
    """
    normalise, drop = "batchnorm" in variant, "dropout" in variant
    stack: list[Any] = [keras.Input(IMAGE_SHAPE)]
    for block, filters in enumerate((32, 64, 64)):
        if normalise:
            stack += [layers.Conv2D(filters, 3, padding="same"), layers.BatchNormalization(), layers.ReLU()]
        else:
            stack.append(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        if block < 2:
            stack.append(layers.MaxPooling2D(2))
            if drop:
                stack.append(layers.Dropout(POOL_DROPOUT))
    stack += [layers.Flatten(), layers.Dense(64, activation="relu")]
    if drop:
        stack.append(layers.Dropout(DENSE_DROPOUT))
    # float32 whatever the policy: a half-precision softmax loses the small probabilities the loss needs
    stack.append(layers.Dense(CLASSES, activation="softmax", dtype="float32"))
    return keras.Sequential(stack, name=f"mnist_cnn_{variant}")


def forward_flops_per_image(model: keras.Model) -> int:
    """FLOPs of one image's forward pass: two per multiply-add of convolutions and matrix products only.

    The convention of the MLPerf training rules; bias, activation, pooling and normalisation are left out.
    """
    return sum(_layer_flops(layer) for layer in model.layers)


def training_flops_per_image(model: keras.Model) -> int:
    """FLOPs of one image's forward and backward pass: a layer's weight and input gradient cost a forward each.

    The first layer needs no input gradient.
    """
    costs = [cost for layer in model.layers if (cost := _layer_flops(layer))]
    return 3 * sum(costs) - costs[0]


def training_bytes_per_image(model: keras.Model, optimizer: keras.Optimizer, per_replica_batch: int) -> int:
    """Bytes that training one image moves to and from memory, where no tensor stays in a cache between two layers.

    A lower bound for training layer by layer, as the abscissa of a roofline needs it (Williams et al. 2009). A layer's
    output is written and read in the forward pass and read once more, as what was saved, in the backward pass, and its
    gradient is written and read: 5 times its size in the layer's compute type. The images are read twice and have no
    gradient; flattening moves nothing. Each step reads the float32 weights twice for the passes, writes and reads
    their gradients, and reads and writes weights and optimizer slots in the update, shared by `per_replica_batch`
    images. Scratch memory of kernels and casts of the weights would come on top.
    """
    outputs: int = sum(_output_bytes(layer) for layer in model.layers)
    images: int = math.prod(IMAGE_SHAPE) * _item_bytes(model.layers[0].compute_dtype)
    weights: int = sum(math.prod(weight.shape) for weight in model.trainable_variables)
    shapes = [variable.shape for variable in optimizer.variables]
    slots: int = sum(math.prod(shape) for shape in shapes if len(shape))  # counters and learning rates are scalars
    update = 4 * (6 * weights + 2 * slots)
    return 5 * outputs + 2 * images + round(update / per_replica_batch)


def _output_bytes(layer: keras.Layer) -> int:
    if isinstance(layer, layers.Flatten):
        return 0
    size: int = math.prod(layer.output.shape[1:])
    return size * _item_bytes(layer.compute_dtype)


def _item_bytes(dtype: str) -> int:
    return 2 if dtype in {"float16", "bfloat16"} else 4


def _layer_flops(layer: keras.Layer) -> int:
    """Two FLOPs per weight of the kernel and per output position."""
    if not isinstance(layer, layers.Conv2D | layers.Dense):
        return 0
    weights = int(layer.kernel.shape.num_elements())
    positions = int(layer.output.shape[1] * layer.output.shape[2]) if isinstance(layer, layers.Conv2D) else 1
    return 2 * weights * positions
