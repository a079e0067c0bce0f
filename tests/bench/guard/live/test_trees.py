"""The code of a side: real folders and real git repositories."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.guard.live.trees import take_workload
from bench.measure.workload import tree_sha256, workload_folder


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits of a package that says which it is; `first` names the older."""
    folder = tmp_path / "repository"
    (folder / "mnist_cnn").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    for which in ("first", "second"):
        (folder / "mnist_cnn" / "__init__.py").write_text(f"WHICH = {which!r}\n")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", which)
        git(folder, "tag", which)
    return folder


def which(path: Path) -> str:
    """What a process imports with this folder in front, and whose `bench` it is."""
    code = "import mnist_cnn, bench; print(mnist_cnn.WHICH, bench.__file__)"
    command, environment = [sys.executable, "-P", "-c", code], {"PYTHONPATH": str(path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()[0]


def test_revision_is_imported_from_its_copy(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A worker imports the revision's package, whatever the checkout holds, and nothing is left in the repository."""
    monkeypatch.chdir(repository / "mnist_cnn")
    first = take_workload("git:first", tmp_path / "a")
    assert which(first.path) == "first"
    assert take_workload("git:main", tmp_path / "b").sha256 != first.sha256
    told = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=True)
    assert told.stdout == ""


def test_revision_that_links_to_the_outside_is_refused(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A link that would lead out of the copy is told in one line."""
    (repository / "mnist_cnn" / "data").symlink_to("/etc/passwd")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "link")
    monkeypatch.chdir(repository)
    with pytest.raises(UsageError, match="git:main: not unpacked"):
        take_workload("git:main", tmp_path / "a")


def test_edits_meanwhile_change_nothing(repository: Path, tmp_path: Path):
    """A folder is copied before anything runs; its hash is that of the copy."""
    taken = take_workload(str(repository), tmp_path / "a")
    (repository / "mnist_cnn" / "__init__.py").write_text("WHICH = 'edited'\n")
    assert which(taken.path) == "second"
    assert taken.sha256 == tree_sha256(taken.path / "mnist_cnn") != tree_sha256(repository / "mnist_cnn")


def test_this_trees_workload_is_taken_without_a_tree(tmp_path: Path):
    """A side that names no tree runs the package that would be imported here."""
    assert take_workload(None, tmp_path / "a").sha256 == tree_sha256(workload_folder())


def test_what_python_caches_counts_for_nothing(repository: Path):
    """The hash is of sources and data, not of what a first import leaves behind."""
    before = tree_sha256(repository / "mnist_cnn")
    which(repository)
    assert (repository / "mnist_cnn" / "__pycache__").exists()
    assert tree_sha256(repository / "mnist_cnn") == before


def test_names_count_in_the_hash(tmp_path: Path):
    """Two files that swap their contents are another tree."""
    for name, contents in (("a", "xy"), ("b", "yx")):
        folder = tmp_path / name
        folder.mkdir()
        for file, content in zip("12", contents, strict=True):
            (folder / file).write_text(content)
    assert tree_sha256(tmp_path / "a") != tree_sha256(tmp_path / "b")


def test_shallow_clone_says_fetch_depth(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A revision that a shallow clone lacks is told with the setting that CI needs."""
    git(tmp_path, "clone", "-q", "--depth", "1", "--no-tags", f"file://{repository}", "shallow")
    monkeypatch.chdir(tmp_path / "shallow")
    with pytest.raises(UsageError, match="fetch-depth: 0"):
        take_workload("git:first", tmp_path / "a")


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ("git:nowhere", "no such revision"),
        ("git:--output=x", "no such revision"),
        ("nowhere", "no package mnist_cnn"),
        ("git:empty", "no package mnist_cnn at its top"),
    ],
)
def test_tree_without_the_package_is_told(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tree: str, told: str
):
    """One line names the tree and the fix, and an option in disguise is a revision that is not there."""
    monkeypatch.chdir(repository)
    git(repository, "checkout", "-q", "--orphan", "empty")
    git(repository, "rm", "-rqf", ".")
    git(repository, "commit", "-q", "--allow-empty", "-m", "nothing")
    with pytest.raises(UsageError, match=told):
        take_workload(tree, tmp_path / "a")


def test_outside_a_repository_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A revision needs a repository around the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UsageError, match="in no git repository that git takes"):
        take_workload("git:main", tmp_path / "a")
