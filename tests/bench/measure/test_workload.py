"""What the hash of a workload holds, and what it does not."""

from pathlib import Path

import pytest

from bench.measure.workload import tree_sha256


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package with a module and data."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "model.py").write_text("x = 1\n")
    (tmp_path / "assets" / "data.npz").write_bytes(b"1")
    return tmp_path


@pytest.mark.parametrize("name", ["model.py", "assets/data.npz", "new.py"])
def test_what_may_be_imported_or_read_is_in_the_hash(tree: Path, name: str) -> None:
    """A change of a source, of data, or a file that was not there."""
    before = tree_sha256(tree)
    (tree / name).write_text("x = 2\n")
    assert tree_sha256(tree) != before


@pytest.mark.parametrize(
    "name", [".model.py.swp", "model.py~", "__pycache__/model.pyc", ".cache/x.py", "assets/.DS_Store"]
)
def test_what_editors_and_python_leave_there_is_not(tree: Path, name: str) -> None:
    """Who looks at a source while a run lasts has not changed it."""
    before = tree_sha256(tree)
    (tree / name).parent.mkdir(exist_ok=True)
    (tree / name).write_text("anything")
    assert tree_sha256(tree) == before
