"""Trials of real ranks, one of which is killed or stopped, or finds its port taken, or whose parent is killed."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.execute.launchers import Launcher
from bench.execute.limits import Limits
from bench.execute.scheduler import execute
from bench.execute.session import Session
from bench.protocol.answers import Hello
from bench.protocol.conversation import AnyAnswer, AnyCommand
from bench.store.record import TrialRecord
from bench.store.runs import create_run, read_run
from bench.store.windows import Window
from bench.trial import Cell, Trial

pytestmark = pytest.mark.slow
CELL = Cell(strategy="multi_worker_mirrored", workers=2, replicas=2, global_batch=50, epochs=0)
SERVED = Cell(strategy="parameter_server", workers=2, replicas=2, global_batch=50, epochs=0, engine="fused")
HOST = socket.gethostname()
RELAYED_WORKER = Path(__file__).parents[2] / "scripts" / "verification" / "relayed_worker.py"


def workers_of(parent: psutil.Process) -> list[int]:
    """The processes that train under a parent, rank 0 first."""
    children = [
        child.pid for child in parent.children(recursive=True) if "bench.worker.conversation" in words_of(child)
    ]
    return sorted(children, key=rank_of)


def rank_of(worker: int) -> int:
    """By the log that a worker writes to; numbers of processes begin anew now and then, and tell no order."""
    with suppress(OSError):
        found = re.search(r"-rank(\d+)\.log$", str(Path(f"/proc/{worker}/fd/2").readlink()))
        return int(found[1]) if found else 0
    return 0


def words_of(process: psutil.Process) -> str:
    """Of its command line; none of one that has ended since it was listed."""
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def relays_of(parent: psutil.Process) -> list[int]:
    """What stands between a parent and its workers, and between these, rank 0's first."""
    return sorted(child.pid for child in parent.children() if str(RELAYED_WORKER) in child.cmdline())


def ports_of(worker: int) -> list[int]:
    """Where a worker listens."""
    found = psutil.Process(worker).net_connections("tcp")
    return [one.laddr.port for one in found if one.status == psutil.CONN_LISTEN]


def can_listen(port: int) -> bool:
    try:
        socket.create_server(("", port)).close()
    except OSError:
        return False
    return True


class Saboteur:
    """Watches a run, and in the third window of trial i sends the i-th signal to its rank's worker, or other target.

    `gone` tells of each trial whether its workers were gone when it had its record, `free` whether their ports were.
    """

    def __init__(
        self,
        *plan: tuple[signal.Signals, int],
        targets: Callable[[psutil.Process], list[int]] = workers_of,
    ) -> None:
        self.plan, self.targets, self.windows, self.sent_at = list(plan), targets, 0, 0.0
        self.gone, self.free = list[bool](), list[bool]()
        self.workers: list[int] = []
        self.ports: list[int] = []
        self.seconds: list[float] = []

    def trial_started(self, trial: Trial, number: int, total: int) -> None:
        self.windows = 0

    def doing(self, what: str) -> None: ...

    def window(self, window: Window) -> None:
        self.windows += 1
        if self.windows == 3:
            self.workers, self.sent_at = workers_of(psutil.Process()), time.monotonic()
            self.ports = [port for worker in self.workers for port in ports_of(worker)]
            if self.plan:
                number, rank = self.plan.pop(0)
                os.kill(self.targets(psutil.Process())[rank], number)

    def trial_finished(self, record: TrialRecord) -> None:
        self.seconds.append(time.monotonic() - self.sent_at)
        self.gone.append(bool(self.workers) and not any(map(psutil.pid_exists, self.workers)))
        self.free.append(bool(self.ports) and all(map(can_listen, self.ports)))


def test_rank_killed_or_stopped_mid_window(plan: Any, tmp_path: Path, small_data: Path) -> None:
    """Its row names rank and host, all workers are gone and their ports free by then, and the next trial trains."""
    run = plan(*(Trial(cell=CELL, seed=seed) for seed in range(2)), data=str(small_data))
    saboteur = Saboteur((signal.SIGKILL, 1), (signal.SIGSTOP, 0))
    writer = create_run(tmp_path, run)
    limits = Limits(answer_s=15, window_patience=1.5, budget_s=12.0)  # a busy machine has slow windows
    execute(run, set(), writer, launch=Launcher(), limits=limits, observer=saboteur)
    killed, stopped = read_run(writer.folder).records
    assert (killed.status, stopped.status in {"error", "timeout"}) == ("error", True), (killed.reason, stopped.reason)
    assert f"rank 1 on {HOST}: the worker was killed by SIGKILL" in (killed.reason or "")
    assert f"rank 0 on {HOST} is stopped" in (stopped.reason or "")
    assert saboteur.gone == saboteur.free == [True, True]
    assert saboteur.seconds[0] < 15
    assert saboteur.seconds[1] < 35
    effective = stopped.effective
    assert effective is not None
    assert effective.addresses == ["127.0.0.1", "127.0.0.1"]


def test_worker_or_server_killed_or_stopped_mid_window(plan: Any, tmp_path: Path, small_data: Path) -> None:
    """Under a coordinator its row names rank, role and host, nobody remains, and the next trial trains."""
    run = plan(*(Trial(cell=SERVED, seed=seed) for seed in range(3)), data=str(small_data))
    saboteur = Saboteur((signal.SIGKILL, 2), (signal.SIGKILL, 3), (signal.SIGSTOP, 3))
    writer = create_run(tmp_path, run)
    limits = Limits(answer_s=15, window_patience=1.5, budget_s=12.0)  # a busy machine has slow windows
    execute(run, set(), writer, launch=Launcher(), limits=limits, observer=saboteur)
    records = read_run(writer.folder).records
    reasons = [record.reason or "" for record in records]
    assert [record.status for record in records[:2]] == ["error", "error"], reasons
    assert records[2].status in {"error", "timeout"}
    assert f"rank 2 (worker) on {HOST}: the worker was killed by SIGKILL" in reasons[0]
    assert f"rank 3 (server) on {HOST}: the worker was killed by SIGKILL" in reasons[1]
    assert f"rank 3 (server) on {HOST} is stopped" in reasons[2]
    assert saboteur.gone == saboteur.free == [True, True, True]
    assert max(saboteur.seconds[:2]) < 15
    assert saboteur.seconds[2] < 35


def test_stopped_worker_that_others_work_for(plan: Any, tmp_path: Path, small_data: Path) -> None:
    """Under a coordinator windows go on without it; it is noticed all the same, long before the budget is over."""
    run = plan(Trial(cell=SERVED), data=str(small_data))
    saboteur = Saboteur((signal.SIGSTOP, 2))
    writer = create_run(tmp_path, run)
    execute(run, set(), writer, launch=Launcher(), limits=Limits(budget_s=90.0), observer=saboteur)
    (record,) = read_run(writer.folder).records
    assert record.status == "timeout", record.reason
    assert (record.reason or "").endswith(f"rank 2 (worker) on {HOST} is stopped")
    assert saboteur.gone == saboteur.free == [True]
    assert saboteur.seconds[0] < 35


def test_transport_that_is_a_black_hole(plan: Any, tmp_path: Path, small_data: Path) -> None:
    """Connections stay open, nothing passes: the row names the ranks in time, all are gone, the next trial runs."""
    trials = [Trial(cell=CELL, seed=seed) for seed in range(2)]
    run = plan(*trials, data=str(small_data))
    saboteur = Saboteur((signal.SIGUSR1, 1), targets=relays_of)
    writer = create_run(tmp_path, run)
    relayed = Launcher(template=f"{sys.executable} {RELAYED_WORKER} 0 {{command}}")
    limits = Limits(answer_s=10, window_patience=1.5, budget_s=12.0)
    execute(run, set(), writer, launch=relayed, limits=limits, observer=saboteur)
    lost, well = read_run(writer.folder).records
    assert (lost.status, well.status) == ("timeout", "ok"), (lost.reason, well.reason)
    assert f"rank 0 on {HOST}, rank 1 on {HOST}: no answer within" in (lost.reason or "")
    assert saboteur.gone == saboteur.free == [True, True]
    assert saboteur.seconds[0] < 25


class TakesPort:
    """A session whose first rank's port is taken by another as soon as it is told."""

    def __init__(self, session: Session, taken: ExitStack) -> None:
        self._session, self._taken = session, taken

    @property
    def exchanged_bytes(self) -> int:
        return self._session.exchanged_bytes

    def say(self, command: AnyCommand) -> None:
        self._session.say(command)

    def hear(self, timeout_s: float) -> AnyAnswer:
        answer = self._session.hear(timeout_s)
        if isinstance(answer, Hello):
            assert answer.port is not None
            thief = self._taken.enter_context(socket.socket())
            thief.bind(("", answer.port))
            thief.listen()
        return answer

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def taken() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("cell", [CELL, SERVED], ids=["all-reduce", "servers"])
def test_port_taken_meanwhile(cell: Cell, plan: Any, tmp_path: Path, small_data: Path, taken: ExitStack) -> None:
    """The trial is begun anew with fresh workers, and its one row is of those."""
    run = plan(Trial(cell=cell), data=str(small_data))
    starts: list[Session] = []

    def launch(trial: Trial, log: Path) -> Session:
        starts.append(Launcher()(trial, log))
        return TakesPort(starts[-1], taken) if len(starts) == 1 else starts[-1]

    writer = create_run(tmp_path, run)
    saboteur = Saboteur()
    execute(run, set(), writer, launch=launch, limits=Limits(budget_s=1.0), observer=saboteur)
    assert len(starts) == 2
    (line,) = (writer.folder / "trials.jsonl").read_text().splitlines()
    record = TrialRecord.model_validate_json(line)
    assert (record.status, record.effective is not None) == ("ok", True)
    assert record.effective is None or len(record.effective.addresses) == len(cell.roles)
    assert record.effective is None or len(record.effective.cpus) == cell.workers


def test_parent_killed(tmp_path: Path, small_data: Path, seconds_until_gone: Callable[..., float]) -> None:
    """No worker and no watchdog of any rank survives 12 s."""
    words = ["run", "smoke", "--data", str(small_data), "--out", str(tmp_path / "out"), "--quiet", "--epochs", "1000"]
    axes = {"strategy": CELL.strategy, "workers": 2, "replicas": 2, "global_batch": 50, "engine": "step"}
    settings = [word for name, value in axes.items() for word in ("--set", f"{name}={value}")]
    with subprocess.Popen([sys.executable, "-m", "bench.cli", *words, *settings]) as parent:
        process, deadline = psutil.Process(parent.pid), time.monotonic() + 120
        while not any("tensorflow" in open_map.path for pid in workers_of(process) for open_map in maps_of(pid)):
            assert time.monotonic() < deadline
            assert parent.poll() is None
            time.sleep(0.2)
        family = [child.pid for child in process.children(recursive=True)]
        assert len(family) >= 4
        parent.kill()
    seconds_until_gone(*family, at_most_s=12)


def maps_of(pid: int) -> list[Any]:
    try:
        return list(psutil.Process(pid).memory_maps())
    except psutil.Error:
        return []
