"""What can be known of the image without building it: that its recipe asks for things that are there."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
RECIPE = (REPOSITORY / "scripts" / "Dockerfile").read_text()
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def instructions() -> list[tuple[str, str]]:
    """Each instruction and its words, comments left out and continued lines joined."""
    lines = "\n".join(line for line in RECIPE.splitlines() if line and not line.startswith("#"))
    return [(line.split()[0], line.split(None, 1)[1]) for line in re.sub(r"\s*\\\n\s*", " ", lines).split("\n")]


def sources_before_install() -> list[str]:
    """What is copied before the packages are installed."""
    steps = instructions()
    install = next(place for place, (_, words) in enumerate(steps) if words.startswith("pip install"))
    return [source for name, words in steps[:install] if name == "COPY" for source in words.split()[:-1]]


def test_python_is_one_that_the_project_takes() -> None:
    """And it is named without a registry, so that the reader's own applies."""
    (base,) = [words for name, words in instructions() if name == "FROM"]
    version = re.fullmatch(r"python:3\.(\d+)-slim", base)
    assert version is not None
    low, high = map(int, re.findall(r"3\.(\d+)", PROJECT["requires-python"]))
    assert low <= int(version[1]) < high


def test_extra_is_one_of_the_project() -> None:
    """The one built by default, and the one that the comment offers."""
    default = dict(words.split("=") for name, words in instructions() if name == "ARG")["EXTRA"]
    offered = re.findall(r"--build-arg EXTRA=(\w+)", RECIPE)
    assert {default, *offered} == {"gpu", "cpu"}
    assert {default, *offered} <= set(PROJECT["optional-dependencies"])


def test_what_is_copied_first_is_enough_to_install(tmp_path: Path) -> None:
    """The real build backend finds in it all that it needs to tell the extras."""
    for source in sources_before_install():
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / source, tmp_path / source)
    pytest.importorskip("setuptools", minversion="77", reason="needs setuptools, which TensorFlow brings")
    build = "import setuptools.build_meta as it; print(it.prepare_metadata_for_build_wheel('.'))"
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    (metadata,) = tmp_path.glob("*.dist-info/METADATA")
    assert "Provides-Extra: gpu\n" in metadata.read_text()


def test_benchmark_is_what_starts_and_not_as_root() -> None:
    """Its own command, interrupted by `docker stop` as by Ctrl-C, by a user who may write to the volume."""
    steps = instructions()
    last = dict(steps)
    assert last["ENTRYPOINT"] == '["bench"]'
    assert "bench" in PROJECT["scripts"]
    assert last["STOPSIGNAL"] == "SIGINT"
    assert last["USER"] == "bench"
    assert [name for name, _ in steps].index("USER") > max(
        place for place, (name, _) in enumerate(steps) if name == "RUN"
    )
    assert last["VOLUME"] == f"{last['WORKDIR']}/results"


@pytest.mark.skipif(not (REPOSITORY / ".git").exists() or shutil.which("git") is None, reason="needs a git checkout")
def test_what_is_left_out_does_not_change_the_checkout() -> None:
    """A run within the image names its commit, and must not find it changed for want of a file; results/ are free."""
    told = subprocess.run(
        ["git", "ls-files", "--cached", "--ignored", "--exclude-from=.dockerignore"],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert [name for name in told.stdout.splitlines() if not name.startswith("results/")] == []
    assert ".git" not in (REPOSITORY / ".dockerignore").read_text().splitlines()
