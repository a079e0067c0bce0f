"""Data sets that are whole: the embedded copy, an .npz and IDX folders."""

import io
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from mnist_cnn.dataset import Dataset, load_dataset

PUBLISHED_SHA256 = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}


def arrays_of(dataset: Dataset) -> dict[str, np.ndarray]:
    train, test = dataset.train, dataset.test
    return {"x_train": train.images, "y_train": train.labels, "x_test": test.images, "y_test": test.labels}


def assert_holds(dataset: Dataset, arrays: dict[str, np.ndarray]) -> None:
    for name, loaded in arrays_of(dataset).items():
        assert loaded.dtype == np.uint8
        np.testing.assert_array_equal(loaded, arrays[name], err_msg=name)
    assert dataset.sha256 == sha256(b"".join(arrays[name].tobytes("C") for name in PUBLISHED_SHA256)).hexdigest()


def test_embedded_copy_has_the_published_bytes(embedded):
    """The embedded arrays have the SHA-256 sums of the published MNIST."""
    sums = {name: sha256(array.tobytes("C")).hexdigest() for name, array in arrays_of(embedded).items()}
    assert sums == PUBLISHED_SHA256


def test_embedded_copy_has_mnist_shapes(embedded):
    """The embedded copy holds 60,000 and 10,000 images of 28 × 28 bytes with one byte of label each."""
    shapes = {name: (array.shape, array.dtype) for name, array in arrays_of(embedded).items()}
    assert shapes == {
        "x_train": ((60000, 28, 28), np.uint8),
        "y_train": ((60000,), np.uint8),
        "x_test": ((10000, 28, 28), np.uint8),
        "y_test": ((10000,), np.uint8),
    }
    assert embedded.source == "embedded"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_loads_equal(tmp_path, arrays, save):
    """An .npz of Keras's layout, stored or compressed, gives back its arrays and the sum of their bytes."""
    save(tmp_path / "small.npz", **arrays)
    dataset = load_dataset(tmp_path / "small.npz")
    assert_holds(dataset, arrays)
    assert dataset.source == str(tmp_path / "small.npz")


def test_npz_in_fortran_order_loads_equal(tmp_path, arrays):
    """Arrays saved in Fortran order come back as the same images, with the same sum."""
    np.savez(tmp_path / "fortran.npz", **{name: np.asfortranarray(array) for name, array in arrays.items()})
    assert_holds(load_dataset(tmp_path / "fortran.npz"), arrays)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_published_npy_version_loads_equal(tmp_path, arrays, version):
    """Headers of the .npy versions 1, 2 and 3 are all understood."""
    with zipfile.ZipFile(tmp_path / "versions.npz", "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, version=version)
            archive.writestr(f"{name}.npy", member.getvalue())
    assert_holds(load_dataset(tmp_path / "versions.npz"), arrays)


@pytest.mark.parametrize(
    "endings",
    [
        pytest.param(("", "", "", ""), id="plain"),
        pytest.param((".gz", ".gz", ".gz", ".gz"), id="gzipped"),
        pytest.param((".gz", "", "", ".gz"), id="mixed"),
        pytest.param(("dot", "dot", "dot.gz", "dot.gz"), id="dotted"),
    ],
)
def test_idx_folder_loads_equal(tmp_path, arrays, write_idx, endings):
    """A folder of IDX files, each plain or gzipped and in either spelling, gives back its arrays."""
    assert_holds(load_dataset(write_idx(tmp_path / "idx", arrays, endings)), arrays)


def test_compression_is_told_by_content_not_by_name(tmp_path, arrays, write_idx):
    """A gzipped IDX file whose .gz was dropped, as browsers do, still loads."""
    folder = write_idx(tmp_path / "idx", arrays, (".gz",) * 4)
    for path in folder.iterdir():
        path.rename(path.with_suffix(""))
    assert_holds(load_dataset(folder), arrays)


def test_data_and_settings_need_no_tensorflow():
    """The modules that promise it import and load where TensorFlow and Keras are not installed."""
    code = """
        import sys
        sys.modules.update(tensorflow=None, keras=None)  # importing them now raises ImportError
        import mnist_cnn.history, mnist_cnn.settings
        from mnist_cnn.dataset import load_dataset
        print(len(load_dataset().train.labels))
    """
    code = "\n".join(line.strip() for line in code.splitlines())
    child = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert (child.stdout, child.stderr) == ("60000\n", "")
