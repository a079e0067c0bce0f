"""`bench ab` and `bench guard` as a user starts them."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bench.guard.live.comparison import Rules, plan_comparison, take_workloads
from bench.guard.live.metrics import log_ratio_of
from bench.guard.live.side import parse_side
from bench.measure.environment import read_environment
from bench.measure.workload import tree_sha256, workload_folder
from bench.store.pairs import create_comparison
from tests.bench.conftest import REPOSITORY


def bench(*words: object, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bench.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, cwd=folder)


@pytest.fixture
def slow_tree(tmp_path: Path) -> Path:
    """A source tree whose every step sleeps for longer than a small step takes."""
    tree = tmp_path / "slow"
    shutil.copytree(workload_folder(), tree / "mnist_cnn", ignore=shutil.ignore_patterns("__pycache__"))
    source = tree / "mnist_cnn" / "engines.py"
    text = source.read_text()
    slower = text.replace("        totals = step(iterator, totals)\n", SLOWER)
    assert slower != text
    source.write_text(slower)
    return tree


DELAY_S = 0.05
SLOWER = f"""\
        import time
        time.sleep({DELAY_S})
        totals = step(iterator, totals)
"""


@pytest.mark.slow
def test_each_side_runs_its_own_tree(slow_tree: Path, tmp_path: Path, small_data: Path):
    """Real workers live at once and import each its own tree, which their hash proves; the slower one is slower."""
    sides = parse_side("default"), parse_side(str(slow_tree))
    rules, common = Rules(margin=0.02, pair_s=1.0, data=small_data), {"global_batch": 16, "input": "resident"}
    workloads = take_workloads(sides, tmp_path / "sides")
    comparison = plan_comparison(sides, workloads, common, rules, read_environment())
    pair = comparison.pair(create_comparison(tmp_path / "results", comparison.record), 0, "interleaved")
    assert (pair.a.status, pair.b.status) == ("ok", "ok"), (pair.a.reason, pair.b.reason)
    assert pair.a.workload.sha256 == tree_sha256(workload_folder())
    assert pair.b.workload.sha256 == tree_sha256(slow_tree / "mnist_cnn")
    assert pair.b.workload.folder == str(tmp_path / "sides" / "b" / "mnist_cnn"), "it is a copy"
    assert all(window.window_s > DELAY_S * window.steps for window in pair.b.windows)
    assert log_ratio_of(pair) < -0.3


def test_interrupt_keeps_what_there_is(tmp_path: Path, seconds_until_gone: Callable[..., float]):
    """Ctrl-C ends both workers, says where the results are, and exits with 130."""
    command = [sys.executable, "-m", "bench.cli", "ab", "default", "default", "--out", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline, workers = time.monotonic() + 60, []
    while len(workers) < 4 and time.monotonic() < deadline:
        workers = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        time.sleep(0.1)
    assert len(workers) == 4, "two watchdogs and two workers"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    (folder,) = tmp_path.iterdir()
    assert f"Interrupted; what was measured is in {folder}" in told
    seconds_until_gone(*workers)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ab", "default", "engin=fit"], "did you mean 'engine'"),
        (["ab", "default", "git:nowhere"], "git:nowhere: "),
        (["ab", "default", "default", "--set", "global_batch=7,8"], "--set global_batch: give one value"),
        (["ab", "default", "default", "--inconclusive", "maybe"], "--inconclusive"),
        (["ab", "default", "default", "--data", "nowhere.npz"], "nowhere.npz"),
        (
            ["guard", "--base", str(REPOSITORY), "--cell", "engine=fit, engine=step"],
            "--cell engine=step: engine is set twice",
        ),
        (["guard", "--base", str(REPOSITORY), "--cell", "precision=tf32"], "cannot run here"),
        (["guard", "--base", "default"], "that is the head"),
        (["guard", "--base", "nowhere"], "nowhere"),
        (["guard", "--base", "default", "--base", "default"], "give one revision or folder"),
    ],
)
def test_bad_input_is_one_line(words: list[str], told: str, tmp_path: Path):
    """The line says what is wrong, the exit code is 2, and nothing was made."""
    done = bench(*words, folder=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
