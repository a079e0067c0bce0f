"""The input pipelines: what they yield, in which order, from how much buffer."""

from itertools import islice

import numpy as np
import pytest
import tensorflow as tf

from mnist_cnn.dataset import Split
from mnist_cnn.pipeline import PREFETCHED_BATCHES, Share, Turn, build_pipeline


def planted(examples: int) -> Split:
    """Images that carry their own index in two pixels, labelled by its last digit."""
    images = np.zeros((examples, 28, 28), np.uint8)
    images[:, 3, 5], images[:, 27, 27] = np.divmod(np.arange(examples), 256)
    return Split(images, (np.arange(examples) % 10).astype(np.uint8))


def batches(kind: str, examples: int, global_batch: int, count: int, seed: int = 0) -> list:
    return list(islice(build_pipeline(kind, planted(examples), global_batch, seed).as_numpy_iterator(), count))


def indices(images: np.ndarray) -> np.ndarray:
    assert images.shape[1:] == (28, 28, 1)
    return np.rint(images[:, 3, 5, 0] * 255 * 256 + images[:, 27, 27, 0] * 255).astype(int)


def order(kind: str, examples: int, global_batch: int, epochs: int, seed: int = 0) -> np.ndarray:
    """The image indices of some epochs, one row each."""
    steps = examples // global_batch
    found = [
        batch[0] if kind == "resident" else indices(batch[0])
        for batch in batches(kind, examples, global_batch, epochs * steps, seed)
    ]
    return np.concatenate(found).reshape(epochs, steps * global_batch)


def test_every_epoch_yields_every_image_once():
    """Where the batch divides the set, each of three epochs holds each of 600 images exactly once."""
    for epoch in order("real", 600, 20, epochs=3):
        assert sorted(epoch) == list(range(600))


def test_every_epoch_has_another_order():
    """No two of four epochs come in the same order, nor in that of the files."""
    found = {tuple(epoch) for epoch in order("real", 600, 20, epochs=4)} | {tuple(range(600))}
    assert len(found) == 5


def test_order_depends_on_the_seed_alone():
    """One seed gives one order however often it is built; another seed gives another."""
    first, again, other = (order("real", 600, 20, epochs=2, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.9
    assert (first[1] != other[0]).mean() > 0.9  # no seed begins where another goes on


def test_one_pipeline_opened_twice_yields_the_same():
    """A second pass over the same pipeline starts again at the first batch of the first epoch."""
    pipeline = build_pipeline("resident", planted(60), 20, seed=0)
    passes = [list(islice(pipeline.as_numpy_iterator(), 7)) for _ in range(2)]
    np.testing.assert_array_equal(*passes)


def test_remainder_is_dropped_and_differs_by_epoch():
    """Of 130 images in batches of 20, each epoch leaves another 10 out, as chance has it."""
    left_out = [set(range(130)) - set(epoch) for epoch in order("real", 130, 20, epochs=30)]
    assert {len(images) for images in left_out} == {10}
    assert len({frozenset(images) for images in left_out}) == 30
    assert len(set.union(*left_out)) > 0.8 * 130  # by chance 1 - (12/13)^30 = 91 %; a fixed remainder gives 8 %


def test_pixels_and_labels_are_scaled_exactly():
    """Bytes become their float32 quotient by 255, to the last bit; labels become one-hot rows."""
    ramp = np.zeros((10, 28, 28), np.uint8)
    ramp.reshape(10, -1)[:, :256] = np.arange(256)
    split = Split(ramp, np.arange(10, dtype=np.uint8)[::-1].copy())
    images, labels = next(build_pipeline("real", split, 10, seed=0).as_numpy_iterator())
    assert (images.dtype, labels.dtype) == (np.float32, np.float32)
    exact = np.arange(256, dtype=np.float32) / np.float32(255)
    np.testing.assert_array_equal(images.reshape(10, -1)[:, :256], np.tile(exact, (10, 1)))
    np.testing.assert_array_equal(labels[labels.argmax(axis=1).argsort()], np.eye(10))


def test_labels_stay_with_their_images():
    """Every image of a shuffled batch carries its own label."""
    for images, labels in batches("real", 600, 20, 30):
        np.testing.assert_array_equal(labels.argmax(axis=1), indices(images) % 10)


def test_resident_order_is_the_real_order():
    """The indices of `resident` name the very images of `real`, remainders and all."""
    np.testing.assert_array_equal(order("resident", 130, 20, 3, seed=5), order("real", 130, 20, 3, seed=5))


def test_resident_yields_index_batches():
    """`resident` yields one-tuples of int64 indices."""
    spec = build_pipeline("resident", planted(60), 20, seed=0).element_spec
    assert spec == (tf.TensorSpec((20,), tf.int64),)


def test_synthetic_looks_like_real():
    """`synthetic` has the element spec of `real`, pixels in [0, 1] and one-hot labels."""
    real, synthetic = (build_pipeline(kind, planted(60), 20, seed=0) for kind in ("real", "synthetic"))
    assert synthetic.element_spec == real.element_spec
    assert real.element_spec == (tf.TensorSpec((20, 28, 28, 1), tf.float32), tf.TensorSpec((20, 10), tf.float32))
    images, labels = next(synthetic.as_numpy_iterator())
    assert 0 <= images.min() < 0.01
    assert 0.99 < images.max() <= 1
    np.testing.assert_array_equal(np.sort(labels, axis=1), np.eye(10)[[9] * 20])
    assert len(np.unique(labels.argmax(axis=1))) > 1


def test_synthetic_repeats_one_batch_of_its_seed():
    """`synthetic` yields one batch for ever, another one for another seed."""
    first, later, again = (batches("synthetic", 60, 20, 9, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first[0][0], later[8][0])
    assert (first[0][0] != again[0][0]).any()


@pytest.mark.parametrize("workers", [1, 3])
def test_turns_cover_an_epoch_together(workers):
    """Workers that do not wait for each other draw whole batches, together those of one order, whoever is faster."""
    turns = [
        build_pipeline("real", planted(60), 4, 5, Turn(tf.constant(worker, tf.int64), workers)).as_numpy_iterator()
        for worker in range(workers)
    ]
    drawn = [indices(next(turns[batch % workers])[0]) for batch in range(30)]
    assert np.concatenate(drawn).tolist() == order("real", 60, 4, epochs=2, seed=5).ravel().tolist()


@pytest.mark.parametrize("kind", ["real", "resident"])
def test_batch_larger_than_the_set_is_refused(kind):
    """A batch that no epoch can fill is refused instead of being waited for."""
    with pytest.raises(ValueError, match="global batch 61: the training set has only 60 images"):
        build_pipeline(kind, planted(60), 61, seed=0)


@pytest.mark.parametrize("kind", ["real", "resident", "synthetic"])
def test_buffering_is_fixed(kind):
    """Each pipeline's graph has one prefetch, of the published depth; nothing in it is left to be tuned."""
    pipeline = build_pipeline(kind, planted(60), 20, seed=0)
    graph = tf.compat.v1.GraphDef.FromString(
        tf.raw_ops.DatasetToGraphV2(input_dataset=tf.data.experimental.to_variant(pipeline)).numpy()
    )
    constants = {node.name: tf.make_ndarray(node.attr["value"].tensor) for node in graph.node if node.op == "Const"}
    depths = [constants[node.input[1]] for node in graph.node if node.op.startswith("PrefetchDataset")]
    assert depths == [PREFETCHED_BATCHES]
    parallelism = [constants[node.input[-1]] for node in graph.node if node.op.startswith("ParallelMapDataset")]
    assert parallelism == ([1] if kind == "real" else [])
    options = pipeline.options()
    assert options.autotune.enabled is False
    assert options.experimental_optimization.inject_prefetch is False
    assert options.deterministic is True


SPLITS = pytest.mark.parametrize(("workers", "replicas"), [(1, 1), (1, 3), (2, 1), (2, 2), (4, 1), (4, 3)])


def shares(kind: str, examples: int, global_batch: int, steps: int, workers: int, replicas: int) -> np.ndarray:
    """The image indices of some steps as (steps, workers, replicas, per-replica batch)."""
    found = []
    for worker in range(workers):
        share = Share(worker, workers, replicas)
        pipeline = build_pipeline(kind, planted(examples), global_batch, 0, share)
        own = list(islice(pipeline.as_numpy_iterator(), steps * replicas))
        found.append([batch[0] if kind == "resident" else indices(batch[0]) for batch in own])
    return np.array(found).reshape(workers, steps, replicas, -1).swapaxes(0, 1)


@SPLITS
@pytest.mark.parametrize("kind", ["real", "resident"])
def test_workers_share_every_image_once(kind, workers, replicas):
    """Over all workers and replicas each of two epochs holds each of 240 images exactly once."""
    for epoch in np.split(shares(kind, 240, 24, 20, workers, replicas), 2):
        assert sorted(epoch.ravel()) == list(range(240))


@SPLITS
def test_shares_are_parts_of_the_same_global_batch(workers, replicas):
    """Put together in the order of workers and replicas, shares are one device's global batches, remainders too."""
    whole = order("real", 250, 24, epochs=2)
    np.testing.assert_array_equal(shares("real", 250, 24, 20, workers, replicas).ravel(), whole.ravel())


@SPLITS
def test_synthetic_shares_are_parts_of_the_same_global_batch(workers, replicas):
    """The workers' synthetic batches, put together, are that of one device, for ever."""
    whole = batches("synthetic", 60, 24, 1)[0][0]
    for step in range(2):
        parts = []
        for worker in range(workers):
            pipeline = build_pipeline("synthetic", planted(60), 24, 0, Share(worker, workers, replicas))
            own = list(islice(pipeline.as_numpy_iterator(), (step + 1) * replicas))[step * replicas :]
            parts += [images for images, _ in own]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("share", [None, Share(0, 2, 1)])
@pytest.mark.parametrize("kind", ["real", "synthetic", "resident"])
def test_tensorflow_knows_that_it_never_ends(kind, share):
    """Else several workers would ask each other at every step whether all of them have a batch."""
    assert build_pipeline(kind, planted(60), 20, 0, share).cardinality() == tf.data.INFINITE_CARDINALITY
