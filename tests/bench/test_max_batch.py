"""A search for the largest batch as a user starts it: real workers, that have only a little memory."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.store.runs import read_run


@pytest.mark.slow
def test_search_for_the_largest_batch(little_memory: Callable[[int], None], small_data: Path, tmp_path: Path) -> None:
    """It ends at the batch that is out of memory, reports in one line, fails nothing, and resumed has nothing to do."""
    little_memory(100)
    command = [sys.executable, "-m", "bench.cli", "run"]
    (tmp_path / "one.toml").write_text('name = "one"\n[defaults]\ncpu_threads = 1\nglobal_batch = 7\nepochs = 3\n')
    words = ["one.toml", "--max-batch", "--time-limit", "0.5", "--data", small_data, "--out", "out"]
    done = subprocess.run([*command, *words], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (tmp_path / "out").iterdir()
    stored = read_run(folder)
    assert stored.run.max_batch
    assert [record.trial.cell.global_batch for record in stored.records] == [64, 128, 256, 512, 1024]
    statuses = [record.status for record in stored.records]
    end = statuses.index("oom")
    assert statuses == ["ok"] * end + ["oom"] + ["skipped"] * (4 - end)
    assert end >= 1
    found = (
        rf"default: largest batch that trained: {32 * 2**end:,} \({64 * 2**end:,}: out of memory\); peak host memory"
    )
    assert re.search(found.replace("default", "cpu_threads=1 epochs=0"), done.stdout), done.stdout
    summary = (folder / "report" / "summary.md").read_text()
    assert f"largest batch that trained: {32 * 2**end:,} ({64 * 2**end:,}: out of memory)" in summary
    before = (folder / "trials.jsonl").read_text().count('"status":"oom"')
    again = subprocess.run([*command, "--resume", folder], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert again.returncode == 0, again.stderr
    assert (folder / "trials.jsonl").read_text().count('"status":"oom"') == before
