"""The trials of a pytest session: live sessions whose windows are asked for one by one, all kept in a run folder."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import bench
from bench.errors import one_line
from bench.execute.conduct import conduct
from bench.execute.launchers import Launcher
from bench.execute.limits import Limits
from bench.guard.live.live_side import LiveSide, Start
from bench.measure.conditions import read_conditions
from bench.measure.workload import tree_sha256, workload_folder
from bench.perf.clock import WindowClock
from bench.perf.plan import Plan
from bench.protocol.commands import Prepare
from bench.store.record import RunRecord, TrialRecord
from bench.store.runs import RunWriter, create_run
from bench.store.windows import Window
from bench.trial import Trial


class TrialFailed(Exception):  # noqa: N818  # reads as what happened
    """A trial did not run to its end: its status, the reason, and the log of its worker."""


class LiveTrial:
    """One trial whose worker lives: windows when asked for, then its record."""

    def __init__(self, side: LiveSide):
        self._side = side
        self.record: TrialRecord | None = None

    def begin(self) -> None:
        """From hello to the first step and a run-in. Raises TrialFailed."""
        self._side.ready()
        self._side.settle()
        self._check()

    def window(self) -> None:
        """Train one window. Raises TrialFailed."""
        self._side.window(paused=False)
        self._check()

    def end(self) -> TrialRecord:
        """Hear what it took, and how it went. Raises TrialFailed."""
        self._side.end()
        self._check()
        self.record = self._side.record().model_copy(update={"stopped_by": "rounds"})
        return self.record

    def _check(self) -> None:
        status, reason = self._side.outcome
        if status == "interrupted":
            raise KeyboardInterrupt
        if status != "ok":
            raise TrialFailed(f"{status}: {reason}; its log is {self._side.start.log}")


class PerfRun:
    """The run folder of a pytest session, and what starts trials in it."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self._launcher = Launcher(variables={"PYTHONPATH": _import_path()})
        self._workload_sha256 = tree_sha256(workload_folder())
        self.run = _run_of(plan)
        self.writer: RunWriter = create_run(plan.out, self.run)

    @contextmanager
    def live(self, trial: Trial, clock: WindowClock) -> Iterator[LiveTrial]:
        """A trial that is ended, and kept with whatever it came to, when the block is left."""
        log = self.writer.log(trial.trial_id)
        data = str(self.plan.data) if self.plan.data else None
        start = Start(
            launch=partial(self._launcher, trial, log),
            trial=trial,
            prepare=Prepare(trial=trial, data=data),
            workload_sha256=self._workload_sha256,
            log=str(log),
        )
        side = LiveSide(start, Limits(communication=False), clock, time.monotonic, read_conditions, last=True)
        live = LiveTrial(side)
        try:
            yield live
        except BaseException as error:
            if side.ok:  # what ended it was not the trial's own doing
                stopped = isinstance(error, KeyboardInterrupt)
                side.outcome = ("interrupted" if stopped else "error"), one_line(str(error) or type(error).__name__)
            raise
        finally:
            try:
                self._keep(live.record or side.record())
            finally:
                side.close()

    def train(self, trial: Trial) -> TrialRecord:
        """Train whole epochs of the same cell in a fresh process, for its accuracy. Raises TrialFailed."""
        cell = trial.cell.model_copy(update={"epochs": self.plan.epochs})
        whole = trial.model_copy(update={"cell": cell})
        log = self.writer.log(whole.trial_id)
        record = conduct(
            self._launcher(whole, log),
            whole,
            limits=Limits(communication=False),
            listener=_Silent(),
            keep=self._keep,
            log=str(log),
            data=str(self.plan.data) if self.plan.data else None,
        )
        if record.status == "interrupted":
            raise KeyboardInterrupt
        if record.status != "ok":
            raise TrialFailed(f"{self.plan.epochs} epochs: {record.status}: {record.reason}; its log is {log}")
        return record

    def _keep(self, record: TrialRecord) -> None:
        """Add it to the run; paths of logs are told from the run's folder."""
        relative = str(Path(record.log).relative_to(self.writer.folder)) if record.log else None
        self.writer.append(record.model_copy(update={"log": relative}))


class _Silent:
    def window(self, window: Window) -> None:
        """Epochs for an accuracy are not timed."""


def _run_of(plan: Plan) -> RunRecord:
    timed = [case.trial for case in plan.cases.values()]
    accuracy = {"epochs": plan.epochs}
    trained = [trial.model_copy(update={"cell": trial.cell.model_copy(update=accuracy)}) for trial in timed]
    return RunRecord(
        suite="perf",
        description="pytest bench/perf",
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        trials=[*timed, *(trained if plan.epochs else [])],
        trial_budget_s=None,
        run_budget_s=None,
        data=str(plan.data) if plan.data else None,
        data_sha256=plan.data_sha256,
        environment=plan.environment,
    )


def _import_path() -> str:
    """The packages of this very process first, whatever is installed."""
    ours = str(Path(bench.__file__).resolve().parents[1])
    return os.pathsep.join(filter(None, [ours, os.environ.get("PYTHONPATH")]))
