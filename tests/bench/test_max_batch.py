"""A search for the largest batch as a user starts it: real workers, that have only a little memory."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.store.runs import read_run

SUITE = """
name = "one"
max_batch = true
[defaults]
cpu_threads = 1
onednn = "off"
global_batch = 7
epochs = 3
"""


@pytest.mark.slow
def test_search_for_the_largest_batch(little_memory: Callable[[int], None], small_data: Path, tmp_path: Path) -> None:
    """It ends where memory does, says so in one line, fails nothing, and trains nothing when it is resumed."""

    def bench(*words: object) -> str:
        command = [sys.executable, "-m", "bench.cli", "run", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    little_memory(200)
    (tmp_path / "one.toml").write_text(SUITE)
    said = bench("one.toml", "--time-limit", "0.5", "--data", small_data, "--out", "out")
    (folder,) = (tmp_path / "out").iterdir()
    records = read_run(folder).records
    assert [record.trial.cell.global_batch for record in records] == [64, 128, 256, 512, 1024]
    statuses = [record.status for record in records]
    end = statuses.index("oom")
    assert end > 0
    assert statuses == ["ok"] * end + ["oom"] + ["skipped"] * (4 - end)
    found = f"largest batch that trained: {32 * 2**end:,} ({64 * 2**end:,}: out of memory); peak host memory "
    assert f"epochs=0 cpu_threads=1 onednn=off: {found}" in said
    assert found in (folder / "report" / "summary.md").read_text()
    bench("--resume", folder)
    again = read_run(folder).records
    assert [(record.status, record.pid) for record in again] == [(record.status, record.pid) for record in records]
