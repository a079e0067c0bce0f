"""Starts `pytest bench/perf` as a user does, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.store.runs import StoredRun, read_run

REPOSITORY = Path(__file__).parents[3]
NO_MORE = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
"""Of plugins that take longer to load than all else."""


@dataclass
class Done:
    """A pytest that has ended: its exit code, what it printed, and the folder that it wrote to."""

    code: int
    out: str
    folder: Path

    @property
    def json(self) -> dict[str, Any]:
        return json.loads((self.folder / "out.json").read_text())

    @property
    def saved(self) -> list[Path]:
        return sorted((self.folder / "saved").rglob("*.json"))

    @property
    def run(self) -> StoredRun:
        return read_run(max((self.folder / "runs").iterdir()))


def run_pytest(folder: Path, *words: str, fake: bool = True, **variables: str) -> Done:
    """Run `pytest bench/perf --benchmark-only` with these words, all that it writes below `folder`."""
    paths = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    plugin = ["-p", "fake_sessions"] if fake else []
    command = [
        *(sys.executable, "-m", "pytest", "bench/perf", "--benchmark-only", *plugin, *NO_MORE),
        *("--bench-out", str(folder / "runs"), "--benchmark-storage", f"file://{folder / 'saved'}"),
        *("--benchmark-json", str(folder / "out.json")),
        *words,
    ]
    # one that was started side by side with others would time nothing
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**inherited, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *paths]), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=250,
        check=False,
    )
    return Done(done.returncode, done.stdout, folder)


@pytest.fixture
def bench_pytest(tmp_path: Path) -> Callable[..., Done]:
    return lambda *words, **rest: run_pytest(tmp_path, *words, **rest)


@pytest.fixture(scope="session")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Two cells with made-up sessions, one of which cannot run here, saved; nothing is changed in it."""
    return run_pytest(
        tmp_path_factory.mktemp("timed"),
        *("--bench-cell", "global_batch=50,engine=fused", "--bench-cell", "precision=tf32"),
        *("--bench-windows", "12", "--bench-epochs", "2", "--benchmark-autosave"),
    )
