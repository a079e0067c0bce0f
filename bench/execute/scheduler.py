"""Executes the trials of a run one after the other, each in a fresh worker, each stored before the next."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from bench.execute.conduct import conduct
from bench.execute.limits import Limits
from bench.execute.session import Session
from bench.store.record import RunRecord, TrialRecord, Window
from bench.store.runs import RunWriter
from bench.trial import Trial

Launch = Callable[[Path], Session]
"""Starts a worker whose stderr goes to the given log."""


class Observer(Protocol):
    """Hears of a run's progress: a live display, an event stream, a test."""

    def trial_started(self, trial: Trial, number: int, total: int) -> None:
        """Trial `number` of `total` begins."""

    def window(self, window: Window) -> None:
        """The current trial did one more window."""

    def trial_finished(self, record: TrialRecord) -> None:
        """A trial is stored."""


class Interrupted(Exception):  # noqa: N818  # reads as what happened
    """The user stopped the run; what was finished is stored."""


def execute(
    run: RunRecord,
    finished: set[str],
    writer: RunWriter,
    *,
    launch: Launch,
    limits: Limits,
    observer: Observer,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Execute every trial that is not in `finished`; raises Interrupted after storing what there is."""
    began = clock()
    left = [trial for trial in run.trials if trial.trial_id not in finished]
    for number, trial in enumerate(left, 1):
        observer.trial_started(trial, number, len(left))
        over = run.run_budget_s is not None and clock() - began >= run.run_budget_s
        if trial.unsupported:
            record = TrialRecord(trial=trial, status="unsupported", reason=trial.unsupported)
            writer.append(record)
        elif over:
            reason = f"the run's budget of {run.run_budget_s:g} s was used up; finish it with --resume"
            record = TrialRecord(trial=trial, status="skipped", reason=reason)
            writer.append(record)
        else:
            log = writer.log(trial.trial_id)
            record = conduct(
                launch(log),
                trial,
                limits=limits,
                listener=observer,
                keep=writer.append,
                log=str(log.relative_to(writer.folder)),
                data=run.data,
                clock=clock,
            )
        observer.trial_finished(record)
        if record.status == "interrupted":
            raise Interrupted


def exit_code(records: Sequence[TrialRecord]) -> int:
    """1 when any trial failed, 0 when all are ok, unsupported or skipped."""
    failures = {"error", "timeout", "nan", "invalid", "oom"}
    return int(any(record.status in failures for record in records))
