"""What an input piles up in a pause is no gift to the window after it."""

from pathlib import Path

import pytest
import tensorflow as tf

from bench.worker.afresh import Resumable
from mnist_cnn.dataset import Dataset, load_dataset
from mnist_cnn.settings import TrainingSettings


@pytest.fixture(name="small_dataset")
def read_small_dataset(small_data: Path) -> Dataset:
    """The small data set, read."""
    return load_dataset(small_data)


def test_what_a_pause_piled_up_is_thrown_away(small_dataset: Dataset) -> None:
    """Batches 0, 1 and 2 are ready when the pause ends: afresh, the next is 3; else it would have been 0."""
    training = Resumable(TrainingSettings(global_batch=10), small_dataset)
    training.pipeline = tf.data.Dataset.counter().prefetch(2)
    training.piled_up = 3
    batches = training.iterator()
    training.begin_afresh()
    assert int(next(batches)) == 3
    assert int(next(batches)) == 4


def test_a_twin_throws_away_its_own(small_dataset: Dataset) -> None:
    """A twin with another input leaves the first one's batches where they are, and a training not begun has none."""
    training = Resumable(TrainingSettings(global_batch=10), small_dataset)
    training.piled_up = 2
    training.begin_afresh()
    training.pipeline = tf.data.Dataset.counter()
    batches = training.iterator()
    twin = training.with_resident_input(small_dataset.train)
    twin.iterator()
    twin.begin_afresh()
    assert int(next(batches)) == 0
