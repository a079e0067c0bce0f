"""Data sets that are damaged, wrong or hostile: each is refused with one line that says what is wrong."""

import gzip
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mnist_cnn.dataset import DatasetError, load_dataset

CENTRAL_HEADER = b"PK\x01\x02"
LOCAL_HEADER = b"PK\x03\x04"


def refusal(path: Path) -> str:
    """The text of the refusal, which must be one line and begin with the file at fault."""
    with pytest.raises(DatasetError) as refused:
        load_dataset(path)
    text = str(refused.value)
    assert len(text.splitlines()) == 1
    assert text.startswith(str(path))
    return text


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array)
    return stream.getvalue()


def npy_header(text: str, version: tuple[int, int] = (2, 0)) -> bytes:
    return b"\x93NUMPY" + bytes(version) + struct.pack("<I", len(text)) + text.encode()


def npz_with(path: Path, arrays: dict[str, np.ndarray], **members: bytes) -> Path:
    """An .npz of the arrays with some members replaced by raw bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            archive.writestr(f"{name}.npy", members.get(name, npy(array)))
    return path


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"y_test": None}, "no array y_test; expected x_train, y_train, x_test, y_test"),
        ({"x_train": None, "x_test": None}, "no array x_train, x_test;"),
        ({"x_train": np.zeros((12, 28, 28), np.float32)}, "x_train: dtype float32, expected uint8"),
        ({"y_test": np.zeros(5, np.int64)}, "y_test: dtype int64, expected uint8"),
        ({"x_test": np.zeros((5, 28, 27), np.uint8)}, "x_test: shape (5, 28, 27), expected (n, 28, 28)"),
        ({"x_test": np.zeros((5, 28, 28, 1), np.uint8)}, "x_test: shape (5, 28, 28, 1), expected (n, 28, 28)"),
        ({"y_train": np.zeros((12, 1), np.uint8)}, "y_train: shape (12, 1), expected (n,)"),
        ({"y_train": np.zeros((), np.uint8)}, "y_train: shape (), expected (n,)"),
        ({"x_train": np.zeros((0, 28, 28), np.uint8)}, "x_train: 0 examples, expected 1 to 1,000,000"),
        ({"y_train": np.zeros(11, np.uint8)}, "12 train images but 11 train labels"),
        ({"y_test": np.full(5, 10, np.uint8)}, "y_test holds label 10; labels are 0 to 9"),
    ],
)
def test_wrong_arrays_are_refused(tmp_path, arrays, changes, fault):
    """An .npz whose arrays are missing or of the wrong kind is refused, naming array, found and expected."""
    kept = {name: array for name, array in {**arrays, **changes}.items() if array is not None}
    np.savez(tmp_path / "wrong.npz", **kept)
    assert fault in refusal(tmp_path / "wrong.npz")


class Planted:
    """An object whose unpickling creates a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickle_is_never_executed(tmp_path, arrays):
    """An array of objects is refused without unpickling it, though its pickle would run code."""
    planted = tmp_path / "executed"
    hostile = np.array([Planted(planted)], dtype=object)
    np.savez(tmp_path / "hostile.npz", **{**arrays, "x_train": hostile})
    assert "x_train: dtype object, expected uint8" in refusal(tmp_path / "hostile.npz")
    assert not planted.exists()
    np.load(tmp_path / "hostile.npz", allow_pickle=True)["x_train"]
    assert planted.exists(), "the planted pickle does nothing, so this test proved nothing"


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (10**12, 28, 28)}", "x_train: not a readable array"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 28, 28)}", "1000000000000 examples"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 28, 28)}", "0 of 784,000,000 bytes"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 28, 28)}", "-1 examples, expected 1 to"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (0x" + "f" * 5000 + ",)}", "not a readable array"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (", "x_train: not a readable array"),
        ("-" * 9000 + "1", "x_train: not a readable array"),
        (" " * 20_000, "x_train: not a readable array (Header info length"),
        ("[]", "x_train: not a readable array (Header is not a dictionary"),
        ("", "x_train: not a readable array"),
    ],
    ids=["power", "absurd", "bare", "negative", "digits", "open", "deep", "long", "list", "empty"],
)
def test_wrong_npy_headers_are_refused(tmp_path, arrays, header, fault):
    """A header that lies, claims the absurd or cannot be parsed is refused in one line."""
    assert fault in refusal(npz_with(tmp_path / "header.npz", arrays, x_train=npy_header(header)))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (lambda good: b"", "x_train: not a readable array (EOF"),
        (lambda good: b"\x93NUMPZ" + good[6:], "x_train: not a readable array (the magic string is not correct"),
        (lambda good: good[:6] + b"\x07\x07" + good[8:], "x_train: unknown .npy format version (7, 7)"),
        (lambda good: good[:100], "x_train: not a readable array (EOF"),
        (lambda good: good[:-1], "x_train: truncated, 9,407 of 9,408 bytes"),
        (lambda good: good + b"x", "x_train: trailing bytes after 9,408"),
    ],
    ids=["empty", "magic", "version", "header", "truncated", "trailing"],
)
def test_damaged_npy_members_are_refused(tmp_path, arrays, content, fault):
    """A member of the wrong magic, version or length is refused, naming its array."""
    member = content(npy(arrays["x_train"]))
    assert fault in refusal(npz_with(tmp_path / "member.npz", arrays, x_train=member))


def test_what_is_no_archive_is_refused(tmp_path):
    """An empty file, a text and the first half of an archive are no .npz files."""
    np.savez(tmp_path / "whole.npz", x_train=np.zeros(100))
    whole = (tmp_path / "whole.npz").read_bytes()
    for content in (b"", b"not an archive\n", whole[: len(whole) // 2]):
        (tmp_path / "no.npz").write_bytes(content)
        assert "not a readable .npz file" in refusal(tmp_path / "no.npz")


def test_flipped_byte_is_found_by_the_archive_checksum(tmp_path, arrays):
    """One wrong bit among the pixels of an uncompressed .npz does not pass."""
    np.savez(tmp_path / "flipped.npz", **arrays)
    content = bytearray((tmp_path / "flipped.npz").read_bytes())
    content[content.index(arrays["x_test"].tobytes()) + 1000] ^= 1
    (tmp_path / "flipped.npz").write_bytes(content)
    assert "x_test: not a readable array (Bad CRC-32" in refusal(tmp_path / "flipped.npz")


def test_encrypted_archive_is_refused(tmp_path, arrays):
    """A member marked as encrypted is refused as such."""
    content = bytearray(npz_with(tmp_path / "locked.npz", arrays).read_bytes())
    for header, flags in ((LOCAL_HEADER, 6), (CENTRAL_HEADER, 8)):
        content[content.index(header) + flags] |= 1
    (tmp_path / "locked.npz").write_bytes(content)
    assert "encrypted" in refusal(tmp_path / "locked.npz")


@pytest.mark.parametrize("method", [1, 12, 14, 99])
def test_other_compression_than_was_used_is_refused(tmp_path, arrays, method):
    """A member whose header names another compression, known to Python or not, is refused."""
    content = bytearray(npz_with(tmp_path / "method.npz", arrays).read_bytes())
    for header, offset in ((LOCAL_HEADER, 8), (CENTRAL_HEADER, 10)):
        start = content.index(header) + offset
        content[start : start + 2] = struct.pack("<H", method)
    (tmp_path / "method.npz").write_bytes(content)
    assert "x_train: not a readable array" in refusal(tmp_path / "method.npz")


def test_archive_that_claims_an_absurd_size_is_refused(tmp_path, arrays):
    """A member that claims four gigabytes is refused before anything of that size is read."""
    content = bytearray(npz_with(tmp_path / "bomb.npz", arrays).read_bytes())
    start = content.index(CENTRAL_HEADER) + 24  # uncompressed size
    content[start : start + 4] = struct.pack("<I", 0xFFFF_FFF0)
    (tmp_path / "bomb.npz").write_bytes(content)
    assert "x_train: claims 4,294,967,280 bytes" in refusal(tmp_path / "bomb.npz")


@pytest.mark.parametrize("name", ["nowhere", "nowhere/train.npz", "long" * 100])
def test_missing_path_is_refused(tmp_path, name):
    """A path that leads nowhere is refused by name."""
    assert name in refusal(tmp_path / name)


def test_folder_without_the_files_is_refused(tmp_path, arrays, write_idx):
    """A folder in which an IDX file is missing is refused, naming the file."""
    (write_idx(tmp_path / "idx", arrays) / "t10k-labels-idx1-ubyte").unlink()
    assert "no t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz" in refusal(tmp_path / "idx")


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (lambda good: b"", "truncated in its header"),
        (lambda good: good[:15], "truncated in its header"),
        (lambda good: b"\0\0\x08\x01" + good[4:], "magic number 0x00000801, expected 0x00000803"),
        (lambda good: b"\0\0\x0d\x03" + good[4:], "magic number 0x00000d03, expected 0x00000803"),
        (lambda good: good[:-1], "truncated, 9,407 of 9,408 bytes"),
        (lambda good: good + b"x", "trailing bytes after 9,408"),
        (lambda good: good[:4] + b"\xff" * 4 + good[8:], "4294967295 examples, expected 1 to 1,000,000"),
        (lambda good: good[:4] + b"\x00\x0f\x42\x40" + good[8:], "truncated, 9,408 of 784,000,000 bytes"),
        (lambda good: good[:4] + bytes(4) + good[8:16], "0 examples, expected 1 to 1,000,000"),
        (lambda good: good[:12] + b"\0\0\0\x1b" + good[16:], "shape (12, 28, 27), expected (n, 28, 28)"),
    ],
    ids=["empty", "header", "labels", "floats", "truncated", "trailing", "absurd", "bare", "none", "narrow"],
)
def test_damaged_idx_files_are_refused(tmp_path, arrays, write_idx, idx_bytes, content, fault, compress):
    """An IDX file of the wrong magic, sizes or length is refused by name, plain or gzipped."""
    path = write_idx(tmp_path / "idx", arrays) / "train-images-idx3-ubyte"
    path.write_bytes(compress(content(idx_bytes(arrays["x_train"]))))
    text = refusal(tmp_path / "idx")
    assert text.startswith(str(path))
    assert fault in text


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda good: good[:-20], "Compressed file ended"),
        (lambda good: good[:-8] + bytes([good[-8] ^ 1]) + good[-7:], "CRC check failed"),
        (lambda good: good + b"garbage", "Not a gzipped file"),
        (lambda good: good[:12] + bytes(20) + good[32:], "not readable"),
    ],
    ids=["truncated", "checksum", "trailing", "overwritten"],
)
def test_damaged_gzip_is_refused(tmp_path, arrays, write_idx, damage, fault):
    """A gzipped IDX file that is cut, altered or continued is refused by name."""
    path = write_idx(tmp_path / "idx", arrays, (".gz",) * 4) / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    text = refusal(tmp_path / "idx")
    assert text.startswith(str(path))
    assert fault in text


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"y_train": np.zeros(11, np.uint8)}, "12 train images but 11 train labels"),
        ({"y_test": np.full(5, 10, np.uint8)}, "y_test holds label 10; labels are 0 to 9"),
    ],
)
def test_idx_files_that_disagree_are_refused(tmp_path, arrays, write_idx, changes, fault):
    """IDX files that are each whole but wrong together are refused."""
    assert fault in refusal(write_idx(tmp_path / "idx", {**arrays, **changes}))
