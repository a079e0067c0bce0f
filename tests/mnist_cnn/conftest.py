"""TensorFlow set up once for this folder, and the small data and short trainings its tests share."""

import gzip
import struct
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_cnn.dataset import Dataset, Split, load_dataset
from mnist_cnn.settings import TrainingSettings
from mnist_cnn.training import Training

# Devices must be set before anything wakes TensorFlow up, so on import: no GPU, for its rounding is another,
# and four logical CPUs for the tests of several replicas. One-replica tests stay on the first.
tf.config.set_visible_devices([], "GPU")
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 4
)


@pytest.fixture(scope="session")
def embedded() -> Dataset:
    return load_dataset()


@pytest.fixture(scope="session")
def tiny(embedded: Dataset) -> Dataset:
    """80 images to train on, 20 steps of 4, and 100 to test on."""
    train = Split(embedded.train.images[:80], embedded.train.labels[:80])
    test = Split(embedded.test.images[:100], embedded.test.labels[:100])
    return Dataset(train, test, "tiny", "")


@pytest.fixture(scope="session")
def mirrored() -> tf.distribute.Strategy:
    # one for the session: a second one of another model would meet the first one's collective keys
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture(scope="session")
def build(tiny: Dataset) -> Callable[..., Training]:
    """Builds a training of global batch 4; see test_engines.py for why of seed 1."""

    def build(
        strategy: tf.distribute.Strategy | None = None, dataset: Dataset = tiny, shards: int = 1, **settings: Any
    ) -> Training:
        filled = TrainingSettings(**{"global_batch": 4, "seed": 1, "epochs": 1, **settings})
        return Training(filled, dataset, strategy, shards)

    return build


@pytest.fixture(scope="session")
def train(build: Callable[..., Training]) -> Callable[..., Training]:
    """Builds a training and trains it for one window of `steps`."""

    def train(steps: int = 20, **settings: Any) -> Training:
        training = build(**settings)
        training.train(lambda progress: steps if progress is None else 0)
        return training

    return train


@pytest.fixture(scope="session")
def reference(train: Callable[..., Training]) -> Callable[..., Training]:
    """20 steps of engine `step` with input `real` on one replica, trained once per optimizer and variant."""
    return cache(lambda optimizer, variant="article": train(optimizer=optimizer, variant=variant))


@pytest.fixture(scope="session")
def furthest() -> Callable[[Training, Training], float]:
    """The largest difference between two trainings' weights, NaN if any is."""

    def furthest(one: Training, other: Training) -> float:
        pairs = zip(one.model.get_weights(), other.model.get_weights(), strict=True)
        return float(np.max([np.abs(a - b).max() for a, b in pairs]))

    return furthest


@pytest.fixture(scope="session")
def arrays() -> dict[str, np.ndarray]:
    """The four arrays of a very small data set."""
    rng = np.random.default_rng(0)
    parts: dict[str, np.ndarray] = {}
    for part, examples in (("train", 12), ("test", 5)):
        parts[f"x_{part}"] = rng.integers(0, 256, (examples, 28, 28), np.uint8)
        parts[f"y_{part}"] = rng.integers(0, 10, examples, np.uint8)
    return parts


@pytest.fixture(scope="session")
def idx_bytes() -> Callable[[np.ndarray], bytes]:
    """An array as the IDX format has it, written from the format's own description."""

    def idx_bytes(array: np.ndarray) -> bytes:
        return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()

    return idx_bytes


@pytest.fixture(scope="session")
def write_idx(idx_bytes: Callable[[np.ndarray], bytes]) -> Callable[..., Path]:
    """Writes a folder of the four IDX files; `endings` are added to their names, ".gz" compresses."""
    names = {"x_train": "train-images-idx3", "y_train": "train-labels-idx1"}
    names |= {"x_test": "t10k-images-idx3", "y_test": "t10k-labels-idx1"}

    def write_idx(folder: Path, arrays: dict[str, np.ndarray], endings: tuple[str, ...] = ("",) * 4) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for (array, name), ending in zip(names.items(), endings, strict=True):
            content = idx_bytes(arrays[array])
            spelled = name.replace("-idx", ".idx") if ending.startswith("dot") else name
            compressed = ending.endswith(".gz")
            path = folder / f"{spelled}-ubyte{'.gz' if compressed else ''}"
            path.write_bytes(gzip.compress(content) if compressed else content)
        return folder

    return write_idx


@pytest.fixture
def half_precision() -> Iterator[None]:
    """The policy mixed_float16 while a test runs."""
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")
