"""The MNIST arrays: the embedded copy, an `.npz` of Keras's layout, or a folder of IDX files. No download.

Every file is checked before it is believed, whoever made it: nothing is unpickled, and nothing is
allocated that its header has not justified.
"""

import gzip
import math
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import as_file, files
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

SIDE = 28
MOST_EXAMPLES = 1_000_000
"""A header that claims more is a damaged or hostile one; MNIST has 60,000."""

_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_IDX_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,  # differs in the header's text encoding only
}
_LONGEST_NPY = MOST_EXAMPLES * SIDE * SIDE + 2**16


class DatasetError(ValueError):
    """A data set that cannot be used; its text is one line naming the file and what is wrong."""


@dataclass(frozen=True)
class Split:
    """images (n, 28, 28) uint8 and labels (n,) uint8 in 0..9."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


@dataclass(frozen=True)
class Dataset:
    """A training and a test split, where they came from, and the SHA-256 of their bytes."""

    train: Split
    test: Split
    source: str
    sha256: str


def load_dataset(path: Path | None = None) -> Dataset:
    """Load and check MNIST; None is the copy embedded in this package.

    Raises DatasetError with one line naming the file and what is wrong with it.
    """
    if path is None:
        with as_file(files("mnist_cnn") / "assets" / "mnist.npz") as embedded:
            return _assemble(_read_npz(embedded), embedded, "embedded")
    with _faults_as(f"{path}: cannot be looked at"):
        if path.is_dir():
            return _assemble(_read_idx_folder(path), path, str(path))
        if path.is_file():
            return _assemble(_read_npz(path), path, str(path))
    raise DatasetError(f"{path}: no such file or folder; give an .npz file or a folder of IDX files")


@contextmanager
def _faults_as(fault: str) -> Iterator[None]:
    """Make one DatasetError of whatever damage raises: zipfile, zlib and NumPy keep no full list of it."""
    try:
        yield
    except DatasetError:
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(f"{fault} ({reason[:200]})") from error


def _assemble(arrays: dict[str, NDArray[np.uint8]], path: Path, source: str) -> Dataset:
    """Check the arrays against each other."""
    for part in ("train", "test"):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if len(images) != len(labels):
            raise DatasetError(f"{path}: {len(images)} {part} images but {len(labels)} {part} labels")
        if labels.max() > 9:
            raise DatasetError(f"{path}: y_{part} holds label {labels.max()}; labels are 0 to 9")
    digest = sha256()
    for name in _ARRAYS:
        digest.update(np.ascontiguousarray(arrays[name]).data)
    train = Split(arrays["x_train"], arrays["y_train"])
    return Dataset(train, Split(arrays["x_test"], arrays["y_test"]), source, digest.hexdigest())


def _check_shape(where: str, name: str, shape: tuple[int, ...]) -> None:
    wanted = "(n, 28, 28)" if name.startswith("x_") else "(n,)"
    tail = (SIDE, SIDE) if name.startswith("x_") else ()
    if len(shape) != len(tail) + 1 or shape[1:] != tail:
        raise DatasetError(f"{where}: shape {shape}, expected {wanted}")
    if not 1 <= shape[0] <= MOST_EXAMPLES:
        raise DatasetError(f"{where}: {shape[0]} examples, expected 1 to {MOST_EXAMPLES:,}")


def _read_npz(path: Path) -> dict[str, NDArray[np.uint8]]:
    """Read the four arrays of Keras's `mnist.npz` layout."""
    with _faults_as(f"{path}: not a readable .npz file"), zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        if missing := [name for name in _ARRAYS if f"{name}.npy" not in names]:
            raise DatasetError(f"{path}: no array {', '.join(missing)}; expected {', '.join(_ARRAYS)}")
        return {name: _read_npy(archive, name, f"{path}: {name}") for name in _ARRAYS}


def _read_npy(archive: zipfile.ZipFile, name: str, where: str) -> NDArray[np.uint8]:
    """Read one array after its header has been checked, never unpickling."""
    member = archive.getinfo(f"{name}.npy")
    if member.file_size > _LONGEST_NPY:
        raise DatasetError(f"{where}: claims {member.file_size:,} bytes, expected at most {_LONGEST_NPY:,}")
    with _faults_as(f"{where}: not a readable array"), archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in _NPY_HEADERS:
            raise DatasetError(f"{where}: unknown .npy format version {version}")
        shape, fortran_order, dtype = _NPY_HEADERS[version](stream)
        if dtype != np.uint8:
            raise DatasetError(f"{where}: dtype {dtype}, expected uint8")
        _check_shape(where, name, shape)
        flat = _exactly(stream, math.prod(shape), where)
    return flat.reshape(shape, order="F" if fortran_order else "C")


def _read_idx_folder(folder: Path) -> dict[str, NDArray[np.uint8]]:
    """Read the four IDX files, each plain or with `.gz`, under their published names."""
    return {name: _read_idx(_find_idx(folder, file_name), name) for name, file_name in _IDX_FILES.items()}


def _find_idx(folder: Path, name: str) -> Path:
    # some copies spell the type with a dot: train-images.idx3-ubyte
    for spelling in (name, name.replace("-idx", ".idx")):
        for candidate in (folder / spelling, folder / f"{spelling}.gz"):
            if candidate.is_file():
                return candidate
    raise DatasetError(f"{folder}: no {name} or {name}.gz in this folder")


def _read_idx(path: Path, name: str) -> NDArray[np.uint8]:
    """Read one IDX file: magic 0x0000 08 <dimensions>, big-endian sizes, then the bytes."""
    dimensions = 3 if name.startswith("x_") else 1
    with _faults_as(f"{path}: not readable"), _plain(path) as stream:
        header = stream.read(4 * (1 + dimensions))
        if len(header) < 4 * (1 + dimensions):
            raise DatasetError(f"{path}: truncated in its header")
        magic, *shape = struct.unpack(f">{1 + dimensions}I", header)
        if magic != 0x0800 + dimensions:
            raise DatasetError(f"{path}: magic number 0x{magic:08x}, expected 0x{0x0800 + dimensions:08x}")
        _check_shape(str(path), name, tuple(shape))
        return _exactly(stream, math.prod(shape), str(path)).reshape(shape)


def _plain(path: Path) -> IO[bytes]:
    """Open a file that may be compressed, whatever its name says."""
    with path.open("rb") as raw:
        compressed = raw.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path)) if compressed else path.open("rb")


def _exactly(stream: IO[bytes], size: int, where: str) -> NDArray[np.uint8]:
    """Read `size` bytes that must be all there is."""
    data = stream.read(size)
    if len(data) < size:
        raise DatasetError(f"{where}: truncated, {len(data):,} of {size:,} bytes")
    if stream.read(1):
        raise DatasetError(f"{where}: trailing bytes after {size:,}")
    return np.frombuffer(data, np.uint8)
