"""Executes the trials of a run one after the other, each in a fresh worker, each stored before the next."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from bench.execute.conduct import conduct
from bench.execute.limits import Limits
from bench.execute.session import Session
from bench.store.record import RunRecord, TrialRecord, Window
from bench.store.runs import RunWriter
from bench.trial import Cell, Trial

Launch = Callable[[Path], Session]
"""Starts a worker whose stderr goes to the given log."""
Sample = Callable[[Trial, Path, Path], AbstractContextManager[bool]]
"""Samples the GPUs of a trial to a file while its block runs, with a log for stderr; says whether it has any."""


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
    sample: Sample = lambda *_: nullcontext(enter_result=False),
    stored: Sequence[TrialRecord] = (),
    limits: Limits,
    observer: Observer,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Execute every trial that is not in `finished`; raises Interrupted after storing what there is.

    `stored` are the records that the run has already: what was out of memory then still is.
    """
    began, exhausted = clock(), [record.trial.cell for record in stored if record.status == "oom"]
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
        elif (smaller := _out_of_memory_before(trial.cell, exhausted)) is not None:
            reason = f"a global batch of {smaller:,} of this cell was out of memory already"
            record = TrialRecord(trial=trial, status="skipped", reason=reason)
            writer.append(record)
        else:
            log, samples = writer.log(trial.trial_id), writer.telemetry(trial.trial_id)
            with sample(trial, samples, log) as sampled:
                record = conduct(
                    launch(log),
                    trial,
                    limits=limits,
                    listener=observer,
                    keep=writer.append,
                    log=str(log.relative_to(writer.folder)),
                    telemetry=str(samples.relative_to(writer.folder)) if sampled else None,
                    data=run.data,
                    clock=clock,
                )
        observer.trial_finished(record)
        if record.status == "oom":
            exhausted.append(trial.cell)
        if record.status == "interrupted":
            raise Interrupted


def _out_of_memory_before(cell: Cell, exhausted: Sequence[Cell]) -> int | None:
    """The smaller batch at which the same cell ran out of memory; None if it did not."""
    batches = [one.global_batch for one in exhausted if one.at_batch(cell.global_batch) == cell]
    return min((batch for batch in batches if batch < cell.global_batch), default=None)


def exit_code(records: Sequence[TrialRecord]) -> int:
    """1 when any trial failed, 0 when all are ok, unsupported or skipped."""
    failures = {"error", "timeout", "nan", "invalid", "oom"}
    return int(any(record.status in failures for record in records))
