"""The data set that a plan is made for, found and checked before anything runs."""

from pathlib import Path

from bench.errors import UsageError
from mnist_cnn.dataset import Dataset, DatasetError, load_dataset


def checked_data(path: Path | None, option: str = "--data") -> Dataset:
    """Load the data set that `option` named, the embedded one by default; UsageError where there is none."""
    if path and not str(path.resolve()).isprintable():
        raise UsageError(f"{option} {path}: a path that cannot be written down in run.json; rename it")
    try:
        return load_dataset(path)
    except DatasetError as error:
        raise UsageError(f"{option} {error}" if path else str(error)) from None
