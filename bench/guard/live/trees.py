"""The `mnist_cnn` of a side: copied to a place of its own before anything runs, so that edits meanwhile change nothing.

A folder is made whose only contents are that copy and a link to this very `bench`; with it in front of a worker's
import path, the worker's code is always this tree's and only the workload is the side's.
"""

import io
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import bench
from bench.errors import UsageError, one_line
from bench.measure.workload import PACKAGE, tree_sha256, workload_folder

_GIT_S = 120.0


@dataclass(frozen=True)
class Workload:
    """A copy to import from: the folder for a worker's import path, where it came from, and the hash of its tree."""

    path: Path
    origin: str
    sha256: str


def take_workload(tree: str | None, into: Path) -> Workload:
    """Copy the workload of a side below the folder `into`. Raises UsageError where the tree has none.

    `tree` is `git:REVISION` of the repository around the current folder, a folder, or None for what runs here.
    """
    into.mkdir(parents=True)
    (into / "bench").symlink_to(Path(bench.__file__).resolve().parent, target_is_directory=True)
    if tree is not None and tree.startswith("git:"):
        origin = _from_git(tree.removeprefix("git:"), into)
    else:
        origin = _from_folder(tree, into)
    copy = into / PACKAGE
    if not (copy / "__init__.py").is_file():
        raise UsageError(f"{tree}: no package {PACKAGE} in it; name the folder that holds {PACKAGE}/")
    return Workload(into, origin, tree_sha256(copy))


def _from_folder(tree: str | None, into: Path) -> str:
    source = workload_folder() if tree is None else Path(tree).expanduser() / PACKAGE
    if not source.is_dir():
        raise UsageError(f"{tree}: no package {PACKAGE} in it; name the folder that holds {PACKAGE}/")
    try:
        shutil.copytree(source, into / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    except shutil.Error as error:
        raise UsageError(f"{source}: cannot be copied: {error}; make it readable, or name another folder") from None
    return str(source.parent.resolve())


def _from_git(revision: str, into: Path) -> str:
    """Unpack the revision's package; returns the commit. Nothing is left in the repository, as a worktree would."""
    top = _top(revision)
    commit = _commit(top, revision)
    archive = _git(top, "archive", "--format=tar", commit, "--", PACKAGE)
    if archive.returncode:
        raise UsageError(f"git:{revision}: no package {PACKAGE} at its top; name a revision that has it")
    try:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extractall(into, filter="data")
    except tarfile.FilterError as error:
        raise UsageError(f"git:{revision}: not unpacked: {error}; link to nothing outside of {PACKAGE}/") from None
    return f"commit {commit}"


def _top(revision: str) -> str:
    """The repository around the current folder."""
    found = _git(".", "rev-parse", "--show-toplevel")
    if found.returncode:
        said = found.stderr.decode(errors="replace").strip()
        raise UsageError(
            f"git:{revision}: in no git repository that git takes ({said}); run within one, or name a folder"
        )
    return os.fsdecode(found.stdout).rstrip("\n")


def _commit(top: str, revision: str) -> str:
    found = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if found.returncode == 0:
        return found.stdout.decode().strip()
    if _git(top, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true":
        told = "this clone is shallow; check it out with fetch-depth: 0, or run: git fetch --unshallow"
        raise UsageError(f"git:{revision}: not in this clone: {told}")
    raise UsageError(f"git:{revision}: no such revision here; git fetch it, or see git log")


def _git(folder: str, *words: str) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(["git", "-C", folder, *words], capture_output=True, check=False, timeout=_GIT_S)
    except FileNotFoundError:
        raise UsageError("git: no such program here; install it, or name folders") from None
    except subprocess.TimeoutExpired:
        raise UsageError(
            one_line(f"git {' '.join(words)}: no answer within {_GIT_S:.0f} s; try again, or name folders")
        ) from None
