"""Executes the trials of a run one after the other, each in a fresh worker, each stored before the next."""

import time
from collections.abc import Callable, Sequence, Set
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from bench.execute.conduct import conduct
from bench.execute.conductor import BY_THE_USER
from bench.execute.limits import Limits
from bench.execute.session import Session
from bench.execute.windows import PortTaken
from bench.host import Conditions
from bench.measure.conditions import read_conditions
from bench.store.record import RunRecord, TrialRecord
from bench.store.runs import RunWriter
from bench.store.windows import Window
from bench.trial import Cell, Status, Trial

Launch = Callable[[Trial, Path], Session]
"""Starts the workers of a trial, whose stderr goes to the given log, further ranks' beside it."""
Sample = Callable[[Trial, Sequence[str], Path, Path], AbstractContextManager[bool]]
"""Samples a trial's GPUs, by UUID, while its block runs, with a log for stderr; says whether there are files.

Those of rank 0's host go to the given file, those of others beside it."""


_ENDS_A_SEARCH: Set[Status] = {"error", "timeout", "nan", "invalid", "oom"}
"""What does not train at one batch is not tried at a larger one: memory may run out in many disguises."""


_STARTS = 3
"""Of a trial whose ports are taken: who takes them so often will go on to."""


class Observer(Protocol):
    """Hears of a run's progress: a live display, an event stream, a test."""

    def trial_started(self, trial: Trial, number: int, total: int) -> None:
        """Trial `number` of `total` begins."""

    def doing(self, what: str) -> None:
        """The current trial goes on to something else, such as `evaluating after epoch 1`."""

    def window(self, window: Window) -> None:
        """The current trial did one more window."""

    def trial_finished(self, record: TrialRecord) -> None:
        """A trial is stored."""


class Interrupted(Exception):  # noqa: N818  # reads as what happened
    """The run cannot go on, as a user or its code wills it; what was finished is stored. May say why."""


def execute(
    run: RunRecord,
    finished: set[str],
    writer: RunWriter,
    *,
    launch: Launch,
    sample: Sample = lambda *_: nullcontext(enter_result=False),
    gpus: Callable[[Cell], Sequence[str]] = lambda _: (),
    stored: Sequence[TrialRecord] = (),
    conditions: Callable[[], Conditions] | None = read_conditions,
    limits: Limits,
    observer: Observer,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Execute every trial that is not in `finished`; raises Interrupted after storing what there is.

    That the user stops it interrupts a run, and that other code is trained, or trains it, than in its first trial.

    `gpus` tells the UUIDs of those that a cell takes, rank by rank. `stored` are the records that the run has already:
    what was out of memory then still is. `conditions` reads this machine's; None where workers are on others.
    """
    ends = _ENDS_A_SEARCH if run.max_batch else {"oom"}
    began, ended = clock(), [record for record in stored if record.status in ends]
    left = [trial for trial in run.trials if trial.trial_id not in finished]
    code = next((record.workload for record in stored if record.workload), None)
    for number, trial in enumerate(left, 1):
        observer.trial_started(trial, number, len(left))
        record = _not_executed(trial, run, clock() - began, ended)
        if record:
            writer.append(record)
        else:
            own = gpus(trial.cell)
            log, samples = writer.log(trial.trial_id), writer.telemetry(trial.trial_id)
            with sample(trial, own, samples, log) as sampled:
                record = _conducted(
                    partial(launch, trial, log),
                    trial,
                    limits=limits,
                    listener=observer,
                    keep=writer.append,
                    log=str(log.relative_to(writer.folder)),
                    telemetry=str(samples.relative_to(writer.folder)) if sampled else None,
                    data=run.data,
                    data_sha256=run.data_sha256,
                    workload=code,
                    gpus=own,
                    clock=clock,
                    conditions=conditions,
                    doing=observer.doing,
                )
            code = code or record.workload
        observer.trial_finished(record)
        if record.status in ends:
            ended.append(record)
        if record.status == "interrupted":
            raise Interrupted("" if record.reason == BY_THE_USER else record.reason)


def _conducted(start: Callable[[], Session], trial: Trial, **rest: Any) -> TrialRecord:
    """Conduct a trial, with fresh workers again where a port was taken before a worker could use it."""
    for _ in range(_STARTS - 1):
        with suppress(PortTaken):
            return conduct(start(), trial, last=False, **rest)
    return conduct(start(), trial, **rest)


def _not_executed(trial: Trial, run: RunRecord, elapsed_s: float, ended: Sequence[TrialRecord]) -> TrialRecord | None:
    """The record of a trial that is not to be executed, with the reason; None for one that is."""
    if trial.unsupported:
        return TrialRecord(trial=trial, status="unsupported", reason=trial.unsupported)
    if run.run_budget_s is not None and elapsed_s >= run.run_budget_s:
        reason = f"the run's budget of {run.run_budget_s:g} s was used up; finish it with --resume"
        return TrialRecord(trial=trial, status="skipped", reason=reason)
    if (smaller := _smaller(trial.cell, ended)) is not None:
        told = smaller.reason or f"global batch {smaller.trial.cell.batch_words}"
        reason = f"a smaller batch of this cell ended in {smaller.status} already: {told}"
        return TrialRecord(trial=trial, status="skipped", reason=reason)
    return None


def _smaller(cell: Cell, ended: Sequence[TrialRecord]) -> TrialRecord | None:
    """The trial of the same cell at the smallest of its smaller batches that ended so; None if none did."""
    same = [one for one in ended if one.trial.cell.at_batch(cell.global_batch) == cell]
    smaller = [one for one in same if one.trial.cell.global_batch < cell.global_batch]
    return min(smaller, key=lambda one: one.trial.cell.global_batch, default=None)


def exit_code(records: Sequence[TrialRecord], *, max_batch: bool = False) -> int:
    """1 when any trial failed, 0 when all are ok, unsupported or skipped."""
    return int(bool(failures(records, max_batch=max_batch)))


def failures(records: Sequence[TrialRecord], *, max_batch: bool = False) -> list[TrialRecord]:
    """The trials that failed; a search for `max_batch` looks for oom."""
    failed = _ENDS_A_SEARCH - ({"oom"} if max_batch else set())
    return [record for record in records if record.status in failed]
