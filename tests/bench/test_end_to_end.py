"""`bench run` as a user starts it: real processes, real TensorFlow, a small part of real MNIST."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import accumulate
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench.store.runs import StoredRun, read_run

pytestmark = pytest.mark.timeout(500)  # the first test of the tiny run waits for all twelve trials
BUDGET_S = 9
"""Enough for two epochs of 800 images on two slow and busy cores, not always for one in a precision they emulate."""
CELLS = f"""
name = "tiny"
[budget]
trial_s = {BUDGET_S}
[defaults]
global_batch = 50
epochs = 2
[[cells]]
[[cells]]
engine = "fused"
[[cells]]
engine = "fit"
[[cells]]
strategy = "mirrored"
replicas = 2
[[cells]]
strategy = "one_device"
cpu_threads = 1
[[cells]]
xla = true
[[cells]]
engine = "fused"
input = "resident"
xla = true
epochs = 0
[[cells]]
precision = "mixed_bfloat16"
epochs = 1
[[cells]]
precision = "mixed_float16"
epochs = 1
[[cells]]
precision = "tf32"
[[cells]]
optimizer = "sgd"
learning_rate = 1e12
[[cells]]
strategy = "mirrored"
replicas = 2
engine = "fused"
"""
SHELL = {
    "KERAS_BACKEND": "jax",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
    "TF_NUM_INTRAOP_THREADS": "1",
    "XLA_FLAGS": "--xla_dump_hlo_as_proto",
    "TF_CONFIG": '{"cluster": {"worker": ["192.0.2.1:1", "192.0.2.2:1"]}, "task": {"type": "worker", "index": 0}}',
}
"""What a user's shell may hold, and must not change what is measured."""
PROXY = "http://me:password@192.0.2.1:1"
LONG = """
name = "long"
[defaults]
epochs = 1000
[axes]
global_batch = [10, 20]
[budget]
trial_s = 3
"""


@pytest.fixture
def start(small_data: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `bench` with words; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str | Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "bench.cli", *map(str, words)]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=tmp_path))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def run_words(small_data: Path, tmp_path: Path) -> Callable[[str], list[str | Path]]:
    """The words of a run of a suite's text on the small data, into tmp_path/out."""

    def words(suite: str) -> list[str | Path]:
        path = tmp_path / "suite.toml"
        path.write_text(suite)
        return ["run", path, "--data", small_data, "--out", tmp_path / "out"]

    return words


@pytest.fixture(scope="module")
def tiny_run(small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[StoredRun, str, int]:
    """One run of CELLS on 800 images: what was stored, what was printed, the exit code."""
    folder = tmp_path_factory.mktemp("tiny")
    with np.load(small_data) as arrays:
        fewer = {name: arrays[name][: 800 if "train" in name else None] for name in arrays.files}
    np.savez(folder / "tiny.npz", **fewer)
    (folder / "suite.toml").write_text(CELLS)
    words = ["run", "suite.toml", "--data", "tiny.npz", "--out", "out"]
    command = [sys.executable, "-m", "bench.cli", *words]
    environment = {**os.environ, **SHELL, "http_proxy": PROXY}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, timeout=420, check=False, env=environment
    )
    runs = list((folder / "out").iterdir())
    assert len(runs) == 1, done.stderr
    return read_run(runs[0]), done.stdout, done.returncode


def only_run(tmp_path: Path) -> Path:
    (run,) = (tmp_path / "out").iterdir()
    return run


def wait_for(condition: Callable[[], object], at_most_s: float = 60.0) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < at_most_s, "waited in vain"
        time.sleep(0.05)


def worker_of(parent: int) -> psutil.Process | None:
    """The process that trains, once it has been training (TensorFlow takes hundreds of MiB)."""
    for child in psutil.Process(parent).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # a short-lived one, such as git
            if child.memory_info().rss > 300 * 2**20:
                return child
    return None


def test_every_cell_trains_and_learns(tiny_run):
    """Engines, strategies, precisions and XLA all end `ok` above chance, with every epoch and what they used kept.

    A precision that this CPU emulates may have had no time for its epoch.
    """
    stored, _, _ = tiny_run
    diverging = ("tf32", "sgd")
    trained = [one for one in stored.records if not {one.trial.cell.precision, one.trial.cell.optimizer} & {*diverging}]
    assert len(trained) == 10
    for record in trained:
        assert record.status == "ok", record.reason
        assert record.own_cpu_s
        if record.trial.cell.precision != "float32" and record.stopped_by == "budget":
            continue
        # without epochs it is the machine's noise that decides
        assert record.stopped_by in ({"epochs"} if record.trial.cell.epochs else {"target", "last_look", "budget"})
        assert len(record.epochs) == record.trial.cell.epochs
        if record.epochs:
            assert record.epochs[-1].test_accuracy > 0.5


def test_every_step_of_an_epoch_is_in_a_window(tiny_run):
    """Windows end exactly where epochs do, under every engine, and go on for speed alone after the last."""
    stored, _, _ = tiny_run
    for record in stored.records:
        if record.status == "ok":
            ends = list(accumulate(window.steps for window in record.windows))
            steps_per_epoch = 800 // record.trial.cell.global_batch
            last = record.trial.cell.epochs * steps_per_epoch
            assert {epoch * steps_per_epoch for epoch in range(1, len(record.epochs) + 1)} <= {*ends}
            assert record.windows.phase[0] == "first_step"
            spent_s = sum(record.windows.window_s) + sum(epoch.evaluate_s for epoch in record.epochs)
            # where a CPU emulates half precision, epochs may have used up the budget, and only then
            assert ends[-1] > last or spent_s > BUDGET_S - 1
            whole = sum(window.phase == "window" and not window.short for window in record.windows)
            assert whole <= 32 or not record.trial.cell.epochs


def test_effective_settings_are_those_that_ran(tiny_run):
    """The rows carry strategy, replicas, dtypes, XLA scope and threads as read back from the worker."""
    stored, _, _ = tiny_run
    effective = {one.trial.cell.label: one.effective for one in stored.records if one.effective}
    mirrored = effective["mirrored ×2 global_batch=50 epochs=2"]
    assert (mirrored.strategy, mirrored.replicas, len(mirrored.devices)) == ("MirroredStrategy", 2, 2)
    assert effective["one_device global_batch=50 epochs=2 cpu_threads=1"].intra_op_threads == 1
    assert effective["global_batch=50 xla epochs=2"].xla_scope == "step"
    assert effective["global_batch=50 engine=fused xla input=resident epochs=0"].xla_scope == "window"
    half = effective["mixed_float16 global_batch=50"]
    assert (half.compute_dtype, half.variable_dtype, half.loss_scaling) == ("float16", "float32", True)
    assert all(settings.parameters == 257_162 for settings in effective.values())


def test_the_users_shell_does_not_change_what_runs(tiny_run):
    """Variables that would switch XLA, threads, backend or cluster behind the settings are ignored; the log says so."""
    stored, _, _ = tiny_run
    (default,) = (one for one in stored.records if one.trial.cell.label == "global_batch=50 epochs=2")
    log = (stored.folder / default.log).read_text()
    assert all(f"{name}={value} is ignored" in log for name, value in SHELL.items())
    assert "http_proxy is ignored" in log
    assert PROXY not in log, "it may hold a password"
    assert "Compiled cluster using XLA" not in log
    assert default.effective.addresses == [], "it meets nobody"
    assert default.effective.intra_op_threads == len(os.sched_getaffinity(0))


def test_a_diverging_trial_is_a_nan_row_and_fails_the_run(tiny_run):
    """A loss that is not finite ends its trial as `nan` with advice, and the exit code is 1."""
    stored, _, code = tiny_run
    (record,) = (one for one in stored.records if one.trial.cell.optimizer == "sgd")
    assert record.status == "nan"
    assert "lower learning rate" in record.reason
    assert code == 1


def test_an_impossible_cell_is_a_row_with_its_reason(tiny_run):
    """tf32 on a CPU stays in the run as `unsupported`."""
    stored, printed, _ = tiny_run
    (record,) = (one for one in stored.records if one.trial.cell.precision == "tf32")
    assert (record.status, len(record.windows)) == ("unsupported", 0)
    assert record.reason in " ".join(printed.split())


def test_a_run_leaves_tables_plots_and_logs(tiny_run):
    """A CSV row per trial, a summary, a page, pictures of what there is, and a log per executed trial are kept."""
    stored, printed, _ = tiny_run
    report = stored.folder / "report"
    with (report / "trials.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(stored.records) == 12
    assert all(float(row["peak_host_memory_bytes"]) > 200e6 for row in rows if row["status"] == "ok")
    assert all(row["peak_device_memory_bytes"] == "" for row in rows), "a CPU has no device memory to tell of"
    assert all("mirrored ×2" in (report / name).read_text() for name in ("summary.md", "report.html"))
    drawn = {path.stem for path in (report / "plots").glob("*.png")}
    assert drawn == {path.stem for path in (report / "plots").glob("*.svg")}
    assert {"throughput", "engines", "memory", "accuracy", "history", "scaling", "step_time", "window_trace"} <= drawn
    assert not {"power", "roofline"} & drawn, "there is neither a GPU nor a measured ceiling"
    assert len(list((stored.folder / "logs").iterdir())) == 11
    assert str(stored.folder.name) in printed


def test_the_first_line_says_where_it_runs(tiny_run):
    """The first line names suite, number of trials and the device."""
    _, printed, _ = tiny_run
    assert printed.startswith("Suite tiny, 12 trials on CPU: ")


def test_a_killed_worker_is_an_error_row_and_the_run_goes_on(start, run_words, tmp_path):
    """A kill -9 of the training process costs its own row only; the next trial runs, and the exit code is 1.

    Of a quiet run the failed row and its folder are all that is printed.
    """
    bench = start(*run_words(LONG), "--quiet")
    wait_for(lambda: worker_of(bench.pid))
    worker_of(bench.pid).kill()
    printed, errors = bench.communicate(timeout=60)
    assert (bench.returncode, printed) == (1, "")
    failed, folder = errors.splitlines()
    assert re.search("· error · .*SIGKILL", failed)
    assert folder == f"Run: {only_run(tmp_path)}"
    first, second = read_run(only_run(tmp_path)).records
    assert first.status == "error"
    assert "SIGKILL" in first.reason
    assert (second.status, second.stopped_by) == ("ok", "budget")
    assert len(second.windows) > 1
    assert "budget" in second.reason


def test_a_killed_parent_leaves_nothing_behind_and_resumes(start, run_words, tmp_path, seconds_until_gone):
    """A kill -9 of the parent while the worker is stopped leaves no process; finished trials stay; --resume ends it."""
    bench = start(*run_words(LONG))
    wait_for(lambda: worker_of(bench.pid))
    first = worker_of(bench.pid)
    wait_for(lambda: not first.is_running())  # its record is kept before it ends
    wait_for(lambda: worker_of(bench.pid))
    family = [child.pid for child in psutil.Process(bench.pid).children(recursive=True)]
    assert len(family) == 2, "a watchdog and a worker"
    worker_of(bench.pid).send_signal(signal.SIGSTOP)
    bench.kill()
    seconds_until_gone(*family, at_most_s=12.0)
    (finished,) = read_run(only_run(tmp_path)).records
    assert finished.status == "ok"

    again = start("run", "--resume", only_run(tmp_path), "--quiet")
    printed, _ = again.communicate(timeout=60)
    assert (again.returncode, printed) == (0, "")
    stored = read_run(only_run(tmp_path))
    assert [record.status for record in stored.records] == ["ok", "ok"]
    assert stored.records[0] == finished, "a finished trial is not run again"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_keeps_what_there_is(start, run_words, tmp_path, seconds_until_gone, number):
    """Ctrl-C or a cluster's SIGTERM ends the worker, records the trial, says how to resume and exits with 130."""
    bench = start(*run_words(LONG))
    wait_for(lambda: worker_of(bench.pid))
    family = [child.pid for child in psutil.Process(bench.pid).children(recursive=True)]
    bench.send_signal(number)
    _, errors = bench.communicate(timeout=30)
    assert bench.returncode == 130
    assert f"--resume {only_run(tmp_path)}" in errors
    assert "Traceback" not in errors
    seconds_until_gone(*family, at_most_s=1.0)
    (record,) = read_run(only_run(tmp_path)).records
    assert record.status == "interrupted"


def test_events_are_json_lines(start, run_words, tmp_path):
    """With --json every line is an event: a start, windows, the finished trial with its status, and the exit code."""
    bench = start(*run_words(LONG), "--json", "--set", "global_batch=50", "--time-limit", "1")
    printed, _ = bench.communicate(timeout=60)
    events = [json.loads(line) for line in printed.splitlines()]
    kinds = [event["event"] for event in events]
    assert (kinds[:2], kinds[-2:]) == (["run_started", "trial_started"], ["trial_finished", "run_finished"])
    assert set(kinds[2:-2]) == {"doing", "window"}
    assert Path(events[0]["folder"]).name == only_run(tmp_path).name
    assert (events[-2]["status"], events[-1]["exit_code"]) == ("ok", 0)


def test_a_dry_run_writes_nothing(start, run_words, tmp_path):
    """--dry-run prints a line per trial, with a heading and a total, and leaves no folder."""
    bench = start(*run_words(LONG), "--dry-run")
    printed, _ = bench.communicate(timeout=60)
    assert sum("to run: at most 3 s + start, the budget" in line for line in printed.splitlines()) == 2
    assert printed.splitlines()[-1].startswith("To run: 2 of 2 trials, at most 6 s + start")
    assert not (tmp_path / "out").exists()
