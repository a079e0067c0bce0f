"""Two workers on this machine, from `bench run` to `bench forecast`, and four."""

import csv
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.execute.conduct import conduct
from bench.execute.launchers import Launcher
from bench.execute.limits import Limits
from bench.execute.ranks import Ranks
from bench.execute.session import WorkerSession
from bench.measure.communication import communication_of
from bench.measure.cpus import apart, siblings, usable_cpus
from bench.protocol.answers import Hello, Ready, WindowDone
from bench.protocol.commands import Prepare, RunWindow
from bench.protocol.conversation import AnyCommand
from bench.store.record import TrialRecord
from bench.store.runs import read_run
from bench.store.windows import Window
from bench.trial import Cell, Trial

SUITE = """
name = "two"
[defaults]
strategy = "multi_worker_mirrored"
engine = "fused"
cpu_threads = 1
epochs = 0
[axes]
workers = [1, 2]
[[cells]]
global_batch = 16
[[cells]]
per_replica_batch = 16
[budget]
trial_s = 6
"""


def bench(*words: object) -> str:
    command = [sys.executable, "-m", "bench.cli", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(len(usable_cpus()) < 2, reason="two workers with a CPU of their own take two")
def test_scaling_communication_and_forecast(tmp_path: Path, small_data: Path):
    """Each worker has a CPU of its own, also the single one; all-reduces are measured, told, and forecast from.

    Where the machine has a core for each, they are apart, else it is said that this is no scaling.
    """
    enough_cores = len({min(siblings(cpu)) for cpu in usable_cpus()}) >= 2
    suite = tmp_path / "two.toml"
    suite.write_text(SUITE)
    told = bench("run", suite, "--data", small_data, "--out", tmp_path / "results")
    (folder,) = (tmp_path / "results").iterdir()
    records = {record.trial.cell.label: record for record in read_run(folder).records}
    assert {record.status for record in records.values()} == {"ok"}, told
    for record in records.values():
        cpus = record.effective.cpus
        assert len(cpus) == record.trial.cell.workers
        assert all(words.rpartition(" ")[2].isdecimal() for words in cpus)
        assert apart(cpus)
        assert apart(record.effective.cores) == (enough_cores or len(cpus) == 1)
        assert len(record.effective.cores) == len(cpus)
        found = communication_of(record.collectives or [], record.effective.parameters, record.trial.cell.replicas)
        assert (found is None) == (record.trial.cell.replicas == 1)
        assert found is None or 0 < found.gradient.seconds < 1
        assert (record.computing is None) == (record.trial.cell.replicas == 1)
    assert ("functional, not scaling" in told) != enough_cores
    with (folder / "report" / "trials.csv").open() as stream:
        assert sum(bool(line["all_reduce_s"]) for line in csv.DictReader(stream)) == 2
    assert "## Communication" in (folder / "report" / "summary.md").read_text()
    assert "weak" in bench("forecast", folder, "--replicas", "2,512")
    assert (folder / "report" / "plots" / "forecast.png").exists()


RELAYED_WORKER = Path(__file__).parents[2] / "scripts" / "verification" / "relayed_worker.py"
DELAY_S = 0.02
"""Longer than a busy machine takes for the rest of an all-reduce."""


class Silent:
    """Hears of windows and says nothing."""

    def window(self, window: Window) -> None:
        pass


def led(launcher: Launcher, log: Path, data: Path, **settings: object) -> TrialRecord:
    cell = Cell.model_validate({"global_batch": 50, "epochs": 1, "input": "resident", "optimizer": "sgd"} | settings)
    trial = Trial(cell=cell, seed=1)
    return conduct(launcher(trial, log), trial, limits=Limits(), listener=Silent(), data=str(data))


@pytest.mark.slow
def test_two_workers_train_alike_over_a_slow_network(tmp_path: Path, small_data: Path):
    """With 20 ms on every message they end with the loss and accuracy of one replica, and each all-reduce is late.

    It waits for two messages at least, however fast the machine is, and that of next to nothing for three at most, with
    the request for the first; a busy machine is given three more. SGD, as RMSprop turns the rounding of a gradient
    near 0, which differs between batches of 25 and 50, into whole steps.
    """
    relayed = Launcher(template=f"{sys.executable} {RELAYED_WORKER} {DELAY_S} {{command}}")
    two = {"strategy": "multi_worker_mirrored", "workers": 2, "replicas": 2, "cpu_threads": 1}
    slow, one = led(relayed, tmp_path / "slow", small_data, **two), led(Launcher(), tmp_path / "one", small_data)
    assert (slow.status, one.status) == ("ok", "ok"), slow.reason
    assert slow.epochs[-1].test_loss == pytest.approx(one.epochs[-1].test_loss, rel=1e-3)
    assert slow.epochs[-1].test_accuracy == pytest.approx(one.epochs[-1].test_accuracy, abs=0.011)
    windows = slow.collectives or []
    assert {window.dispatched for window in windows} == {False, True}
    assert min(window.window_s / window.calls for window in windows) >= 2 * DELAY_S
    told = slow.effective and communication_of(windows, slow.effective.parameters, replicas=2)
    assert told
    assert told.least.fastest_s <= 6 * DELAY_S
    assert slow.computing


LATE_S = 1.0


class Late(WorkerSession):
    """Its worker hears of each window so much later than those of ranks before it."""

    def say(self, command: AnyCommand) -> None:
        if isinstance(command, RunWindow):
            time.sleep(LATE_S)
        super().say(command)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["step", "fused"])
def test_a_window_begins_when_both_workers_are_there(tmp_path: Path, small_data: Path, engine: str):
    """Rank 1 hears of each window a second after rank 0, which waits for it before the clock, not in its first step."""
    two = {"strategy": "multi_worker_mirrored", "workers": 2, "replicas": 2, "cpu_threads": 1, "engine": engine}
    trial = Trial(cell=Cell.model_validate(two | {"global_batch": 50, "epochs": 0}), seed=1)
    kinds = enumerate((WorkerSession, Late))
    ranks = Ranks([kind(Launcher().command_line(rank), tmp_path / f"{rank}.log") for rank, kind in kinds])
    windows: list[float] = []
    try:
        assert isinstance(ranks.hear(60), Hello)
        ranks.say(Prepare(trial=trial, data=str(small_data)))
        assert isinstance(ranks.hear(200), Ready)
        for _ in range(3):
            ranks.say(RunWindow(steps=1))
            done = ranks.hear(60)
            assert isinstance(done, WindowDone), done
            windows.append(done.window_s)
    finally:
        ranks.close()
    assert min(windows) < LATE_S / 2, windows  # of the slower rank; without a meeting each is as long as the delay


@pytest.mark.slow
def test_four_workers_train_as_one_replica_does(tmp_path: Path, small_data: Path):
    """Started by the launcher, on one machine, they end with its loss and accuracy; the row has all four."""
    four = {"strategy": "multi_worker_mirrored", "workers": 4, "replicas": 4, "global_batch": 40, "engine": "fused"}
    many = led(Launcher(), tmp_path / "four", small_data, **four)
    one = led(Launcher(), tmp_path / "one", small_data, global_batch=40, engine="fused")
    assert (many.status, one.status) == ("ok", "ok"), many.reason
    assert many.epochs[-1].test_loss == pytest.approx(one.epochs[-1].test_loss, rel=1e-3)
    assert many.epochs[-1].test_accuracy == pytest.approx(one.epochs[-1].test_accuracy, abs=0.011)
    assert many.effective is not None
    assert len(many.effective.cpus) == len(set(many.effective.devices)) == len(many.effective.addresses) == 4
