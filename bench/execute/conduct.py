"""One trial from prepare to finish, as the parent leads it: windows, run-in, evaluation, budget, status."""

import time
from collections.abc import Callable, Sequence
from itertools import repeat

from bench.execute.collectives import measure_collectives
from bench.execute.computing import has_neighbours, measure_computing
from bench.execute.conductor import Conductor, outcome_of
from bench.execute.diagnosis import Rounds, run_rounds
from bench.execute.limits import Limits
from bench.execute.session import NoAnswer, Session, WorkerLost
from bench.execute.windows import BudgetReached, Ended, Listener, Windows, within_epoch
from bench.host import Conditions
from bench.measure.conditions import read_conditions
from bench.measure.diagnosis import FEWEST_ROUNDS
from bench.measure.energy import SHORTEST_STRETCH_S, longest_stretch
from bench.measure.stopping import LOOKS, verdict
from bench.protocol.answers import Ready, Workload
from bench.protocol.commands import Prepare
from bench.store.record import TrialRecord
from bench.trial import Trial

FEWEST_WINDOWS = LOOKS[0]
"""Where the epochs give fewer whole windows, windows for speed alone follow: less is no measurement."""


def conduct(
    session: Session,
    trial: Trial,
    *,
    limits: Limits,
    listener: Listener,
    keep: Callable[[TrialRecord], None] = lambda _: None,
    log: str | None = None,
    telemetry: str | None = None,
    data: str | None = None,
    data_sha256: str | None = None,
    workload: Workload | None = None,
    last: bool = True,
    gpus: Sequence[str] = (),
    clock: Callable[[], float] = time.monotonic,
    conditions: Callable[[], Conditions] | None = read_conditions,
    doing: Callable[[str], None] = lambda _: None,
) -> TrialRecord:
    """Lead one trial over a live session and record it, whatever happens; closes the session.

    The record goes to `keep` before the session is closed, so that an interrupt while closing loses nothing.
    Of other data than that of `data_sha256`, where the worker tells what it loaded, there is no result; with other code
    than that of `workload` it is interrupted. `conditions` reads those of this machine; None where the workers
    are on others, which then tell their own. `doing` hears what the trial goes on to, in a few words.
    Raises PortTaken, and records nothing, where fresh workers may succeed and this was not the `last` attempt.
    """
    began = clock()
    windows = Windows(session, limits, listener, clock)
    conductor = Conductor(
        session,
        trial,
        limits,
        windows,
        clock,
        conditions,
        doing,
        data_sha256=data_sha256,
        workload=workload,
    )
    prepare = Prepare(trial=trial, data=data, gpus=list(gpus))
    try:
        status, reason = outcome_of(conductor, lambda: Course(conductor).lead(prepare), last=last)
        record = conductor.record(status, reason, wall_s=clock() - began, log=log, telemetry=telemetry)
        keep(record)
    finally:
        session.close()
    return record


class Course:
    """What a run measures of a trial: windows, accuracy, communication, and what bounds it."""

    def __init__(self, conductor: Conductor):
        self._conductor, self._limits, self._clock = conductor, conductor.limits, conductor.clock
        self._session, self._windows = conductor.session, conductor.windows
        self._cell, self._found = conductor.trial.cell, conductor.found

    def lead(self, prepare: Prepare) -> str | None:
        """The conversation, top to bottom; returns why a figure is missing, or None."""
        ready = self._conductor.prepare(prepare)
        if self._limits.budget_s:
            self._windows.deadline = self._clock() + self._limits.budget_s
        try:
            if self._cell.epochs:
                self._train_epochs(ready)
            else:
                self._train_until_certain(ready)
        except BudgetReached:
            self._found.setdefault("stopped_by", "budget")
        self._conductor.meter.stop()
        self._communicate(ready)
        if self._limits.diagnosis_s is None:
            self._conductor.end()
            return self._why_incomplete(ready)
        missing = [self._diagnose(ready, self._limits.diagnosis_s), self._why_incomplete(ready)]
        return "; ".join(filter(None, missing)) or None

    def _train_epochs(self, ready: Ready) -> None:
        """Whole epochs, evaluated after each; every step counts for accuracy, windows for speed."""
        steps_per_epoch = ready.train_images // self._cell.global_batch
        self._train_epoch(1)
        steps = self._windows.calibrate(ready.effective.buffered_batches, steps_per_epoch - 1)
        left = steps_per_epoch - self._windows.asked_steps
        for epoch in range(1, self._cell.epochs + 1):
            first = len(self._windows.kept) if epoch > 1 else 0
            if epoch > 1:
                if self._windows.over_budget:
                    raise BudgetReached
                self._train_epoch(epoch)
                run_in = min(ready.effective.run_in_steps, steps_per_epoch)
                self._windows.run_in(run_in)
                left = steps_per_epoch - run_in
            self._windows.run(within_epoch(left, steps))
            self._conductor.evaluate(epoch, self._windows.kept[first:])
        self._found["stopped_by"] = "epochs"
        missing = max(0, FEWEST_WINDOWS - sum(not window.short for window in self._windows.timed))
        if (missing or not self._stretched()) and not self._windows.over_budget:
            # the epochs are over and evaluated: these windows serve speed and energy alone
            self._conductor.go_on("measuring speed alone", in_windows=True)
            self._windows.afresh = True
            self._windows.run_in(ready.effective.run_in_steps)
            self._windows.run(repeat(("window", steps, False), missing))
            self._stretch(steps)

    def _train_epoch(self, epoch: int) -> None:
        self._conductor.go_on(f"training epoch {epoch} of {self._cell.epochs}", in_windows=True)

    def _stretch(self, steps: int) -> None:
        """On a GPU go on until there is a stretch of windows that is long enough for its energy."""
        if not self._stretched():
            self._windows.run(repeat(("window", steps, False)), self._stretched)

    def _stretched(self) -> bool:
        if self._cell.kind == "cpu":
            return True
        stretch = longest_stretch(self._windows.kept, self._cell.global_batch)
        return stretch is not None and stretch.seconds >= SHORTEST_STRETCH_S

    def _train_until_certain(self, ready: Ready) -> None:
        """Windows without end, until the stopping rule is content."""

        def stop() -> bool:
            timed = self._windows.timed
            steps, seconds = [window.steps for window in timed], [window.window_s for window in timed]
            if reason := verdict(steps, seconds, self._limits.target):
                self._found["stopped_by"] = reason
            return reason is not None

        self._conductor.go_on("measuring", in_windows=True)
        self._windows.afresh = True
        steps = self._windows.calibrate(ready.effective.buffered_batches, None)
        self._windows.run(repeat(("window", steps, False)), stop)
        self._stretch(steps)

    def _communicate(self, ready: Ready) -> None:
        """What computing without all-reduces takes, and all-reduces alone, where an update sums several gradients."""
        cell, effective = self._cell, ready.effective
        if cell.replicas_per_update == 1 or not self._limits.communication:
            return
        self._conductor.go_on("measuring communication")
        if has_neighbours(cell):
            step_s = min(window.window_s / window.steps for window in self._windows.kept)
            run_in = effective.run_in_steps
            computing = measure_computing(self._session, run_in, step_s, self._limits, self._clock)
            self._found["computing"] = computing or None
        collectives = measure_collectives(self._session, cell, effective.parameters, self._limits, self._clock)
        self._found["collectives"] = collectives

    def _diagnose(self, ready: Ready, seconds: float) -> str | None:
        """Rounds that say what bounds the cell, once all else is known; a trial is ok without.

        Returns why there are too few of them, or none more, or None.
        """
        if self._cell.asynchronous:
            self._conductor.end()
            return f"no diagnosis: its probes run in every replica at once, which {self._cell.strategy} does not"
        self._conductor.go_on("diagnosing")
        steps = max((window.steps for window in self._windows.timed), default=1)
        run_in = ready.effective.run_in_steps
        slowest_s = max(window.window_s for window in self._windows.kept)
        steps = max(steps, run_in)
        rounds = Rounds(self._session, self._limits, steps=steps, run_in=run_in, slowest_s=slowest_s)
        self._conductor.take(rounds.begin())
        done: list[dict[str, float]] = []
        end: str | None = None
        self._found["diagnosis"] = done
        try:
            run_rounds(rounds, seconds, self._clock, done)
            self._conductor.finish()
        except (Ended, NoAnswer, WorkerLost) as error:
            end = str(error)
        if len(done) < FEWEST_ROUNDS:
            return f"no diagnosis: {end or f'only {len(done)} of {FEWEST_ROUNDS} rounds in {seconds:g} s'}"
        return end and f"after {len(done)} rounds of diagnosis: {end}"

    def _why_incomplete(self, ready: Ready) -> str | None:
        """What a budget cut off: the accuracy, if the epochs were not completed, and all windows that count."""
        cut_short = len(self._conductor.epochs) < self._cell.epochs
        missing = ["no throughput"] * (not self._windows.timed) + ["no accuracy"] * cut_short
        if not missing:
            return None
        ended = "within the run-in"
        if cut_short:
            planned = self._cell.epochs * (ready.train_images // self._cell.global_batch)
            ended = f"after {self._windows.asked_steps:,} of {planned:,} steps"
        return f"{' and '.join(missing)}: the time budget of {self._limits.budget_s:g} s ended {ended}"
