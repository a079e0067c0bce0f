"""The input pipelines: endless global batches whose order depends on the seed and the epoch alone.

Prefetch depths are fixed and autotuning is off: a pipeline that tunes itself while it is being measured
is a different pipeline in every window.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from mnist_cnn.dataset import Split
from mnist_cnn.model import CLASSES, IMAGE_SHAPE
from mnist_cnn.settings import Input

PREFETCHED_BATCHES = 2


@dataclass(frozen=True)
class Share:
    """One worker's part of every global batch, a batch for each of its replicas: all workers draw the same order."""

    worker: int
    workers: int
    replicas: int

    def batches(self, whole: Any) -> tf.Tensor:
        """A (global batch, …) to the (replicas, per-replica batch, …) of this worker."""
        return tf.reshape(whole, (self.workers, self.replicas, -1, *whole.shape[1:]))[self.worker]


@dataclass(frozen=True)
class Turn:
    """One worker's batches where workers do not wait for each other: whole ones, every `workers`-th of one order.

    So as long as they are equally fast no image comes twice in an epoch. `worker` counts from 0, and may be a () int64
    tensor.
    """

    worker: Any
    workers: int


@tf.autograph.experimental.do_not_convert  # no Python loop or branch in what it maps depends on data
def build_pipeline(
    kind: Input, split: Split, global_batch: int, seed: int, share: Share | Turn | None = None
) -> tf.data.Dataset:
    """Build the endless dataset of one input kind.

    `real` and `synthetic` yield (images (global_batch, 28, 28, 1) float32 in [0, 1], one-hot labels
    (global_batch, 10) float32); `resident` yields (indices (global_batch,) int64,), to be looked up on
    the device with `lookup`. Every epoch is a new full permutation; its remainder is dropped. Raises
    ValueError for a batch larger than the split: its epochs would be empty for ever. With a `share` it yields the
    batches of that worker's replicas, one after the other; with a `Turn`, whole batches, of which the synthetic one is
    everybody's.
    """
    if kind == "synthetic":
        dataset = _synthetic(global_batch, seed, share)
    elif kind == "resident":
        dataset = _index_batches(len(split.labels), global_batch, seed, share).map(lambda indices: (indices,))
    else:
        with tf.device("/cpu:0"):  # tf.data runs there; TensorFlow would put a bare constant on the GPU
            images, labels = tf.constant(split.images), tf.constant(split.labels)
        dataset = _index_batches(len(split.labels), global_batch, seed, share).map(
            lambda indices: lookup(images, labels, indices), num_parallel_calls=1
        )
    return dataset.prefetch(PREFETCHED_BATCHES).with_options(_fixed_options())


def lookup(images: Any, labels: Any, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Gather one batch of pixels and labels and make it what the network takes.

    images (n, 28, 28) and labels (n,) of any number type, indices (b,) to ((b, 28, 28, 1) float32 in
    [0, 1], (b, 10) float32 one-hot).
    """
    pixels = tf.cast(tf.gather(images, indices), tf.float32) / 255.0
    one_hot = tf.one_hot(tf.cast(tf.gather(labels, indices), tf.int64), CLASSES)
    return tf.reshape(pixels, (-1, *IMAGE_SHAPE)), one_hot


def _index_batches(examples: int, global_batch: int, seed: int, share: Share | Turn | None) -> tf.data.Dataset:
    """Endless int64 index batches: one whole permutation per epoch, cut into global batches, and these into shares.

    A permutation of indices costs milliseconds an epoch where a shuffle buffer moves every image through
    a queue, and its order is a function of (seed, epoch), so every engine and input sees the same one
    even if it opens the dataset twice (as Keras `fit` does under a strategy).
    """
    steps = examples // global_batch
    if not steps:
        raise ValueError(f"global batch {global_batch}: the training set has only {examples} images")

    def epoch_batches(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(examples, dtype=tf.int64), seed=tf.stack([tf.constant(seed, tf.int64), epoch])
        )
        return tf.data.Dataset.from_tensor_slices(tf.reshape(order[: steps * global_batch], (steps, global_batch)))

    # endless as it is, but not to TensorFlow, whose workers would ask each other at every step whether all have a batch
    batches = tf.data.Dataset.counter().flat_map(epoch_batches).repeat()
    if share is None:
        return batches
    if isinstance(share, Turn):
        return batches.shard(share.workers, share.worker)
    return batches.flat_map(lambda indices: tf.data.Dataset.from_tensor_slices(share.batches(indices))).repeat()


def _synthetic(global_batch: int, seed: int, share: Share | Turn | None) -> tf.data.Dataset:
    """One random global batch for ever: what training costs when input costs nothing."""
    rng = np.random.default_rng(seed)
    images = rng.random((global_batch, *IMAGE_SHAPE), dtype=np.float32)
    labels = np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, global_batch)]
    if isinstance(share, Share):
        return tf.data.Dataset.from_tensor_slices((share.batches(images), share.batches(labels))).repeat()
    return tf.data.Dataset.from_tensors((tf.constant(images), tf.constant(labels))).repeat()


def _fixed_options() -> tf.data.Options:
    options = tf.data.Options()
    options.autotune.enabled = False
    options.deterministic = True
    options.experimental_optimization.inject_prefetch = False
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return options
