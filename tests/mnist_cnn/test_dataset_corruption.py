"""Random damage: a data set loads or is refused; nothing else may happen."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_cnn.dataset import DatasetError, load_dataset

# blank images compress to nothing, so that most damage hits headers, where parsers are weak
BLANK = {
    "x_train": np.zeros((3, 28, 28), np.uint8),
    "y_train": np.arange(3, dtype=np.uint8),
    "x_test": np.zeros((2, 28, 28), np.uint8),
    "y_test": np.arange(2, dtype=np.uint8),
}
places = st.floats(0, 1, exclude_max=True)
edits = st.lists(
    st.tuples(places, st.integers(0, 255), st.sampled_from(["set", "flip", "cut", "insert", "end"])),
    min_size=1,
    max_size=4,
)


def damaged(content: bytes, steps: list[tuple[float, int, str]]) -> bytes:
    """Content after some bytes were set, flipped, cut out or inserted, or its end cut off."""
    for place, value, kind in steps:
        at = int(place * len(content))
        if kind == "set":
            content = content[:at] + bytes([value]) + content[at + 1 :]
        elif kind == "flip":
            content = content[:at] + bytes(byte ^ 1 << value % 8 for byte in content[at : at + 1]) + content[at + 1 :]
        elif kind == "cut":
            content = content[:at] + content[at + 1 + value % 32 :]
        elif kind == "insert":
            content = content[:at] + bytes([value]) + content[at:]
        else:
            content = content[:at]
    return content


def assert_loads_or_is_refused(path: Path) -> None:
    try:
        dataset = load_dataset(path)
    except DatasetError as error:
        refusal = str(error)
    else:
        refusal = None
        for split in (dataset.train, dataset.test):
            assert split.images.shape == (len(split.labels), 28, 28)
            assert split.labels.max() <= 9
    assert refusal is None or (refusal.startswith(str(path)) and len(refusal.splitlines()) == 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("damaged")


@pytest.fixture(scope="module", params=["stored", "deflated", "lzma"])
def archive(request, folder) -> bytes:
    method = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED, "lzma": zipfile.ZIP_LZMA}[request.param]
    np.savez(folder / "whole.npz", **BLANK)
    with zipfile.ZipFile(folder / "whole.npz") as whole, zipfile.ZipFile(folder / "again.npz", "w", method) as again:
        for name in whole.namelist():
            again.writestr(name, whole.read(name))
    return (folder / "again.npz").read_bytes()


@given(steps=edits)
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("ignore:Reading `.npy`:UserWarning")  # NumPy found a header of Python 2's spelling
def test_damaged_npz_loads_or_is_refused(folder, archive, steps):
    """An .npz with a few bytes changed, cut or added loads or raises DatasetError, and nothing else."""
    (folder / "damaged.npz").write_bytes(damaged(archive, steps))
    assert_loads_or_is_refused(folder / "damaged.npz")


@given(steps=edits, name=st.sampled_from(["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]), zipped=st.booleans())
@settings(max_examples=200, deadline=None)
def test_damaged_idx_loads_or_is_refused(folder, write_idx, steps, name, zipped):
    """An IDX file with a few bytes changed, cut or added loads or raises DatasetError, and nothing else."""
    path = write_idx(folder / "idx", BLANK) / name
    whole = gzip.compress(path.read_bytes()) if zipped else path.read_bytes()
    path.write_bytes(damaged(whole, steps))
    assert_loads_or_is_refused(folder / "idx")
