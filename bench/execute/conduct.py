"""One trial from prepare to finish, as the parent leads it: windows, run-in, evaluation, budget, status."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import repeat
from typing import Any

from bench.execute.collectives import measure_collectives
from bench.execute.computing import has_neighbours, measure_computing
from bench.execute.diagnosis import Rounds, run_rounds
from bench.execute.effective import mismatch
from bench.execute.limits import Limits
from bench.execute.meter import Meter
from bench.execute.session import NoAnswer, Session, WorkerLost
from bench.execute.windows import BudgetReached, Ended, Listener, PortTaken, Windows, expect, within_epoch
from bench.host import Conditions
from bench.measure.conditions import read_conditions
from bench.measure.diagnosis import FEWEST_ROUNDS
from bench.measure.stopping import LOOKS, verdict
from bench.measure.telemetry import SHORTEST_STRETCH_S, longest_stretch
from bench.measure.versions import differing_content
from bench.protocol.answers import Evaluated, Finished, Hello, Ready, WindowDone
from bench.protocol.commands import Evaluate, Finish, Prepare
from bench.protocol.conversation import PROTOCOL_VERSION
from bench.store.record import EpochRecord, TrialRecord
from bench.store.windows import Window
from bench.trial import Status, Trial

FEWEST_WINDOWS = LOOKS[0]
"""Where the epochs give fewer whole windows, windows for speed alone follow: less is no measurement."""
BY_THE_USER = "interrupted by the user"


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
    workload_sha256: str | None = None,
    last: bool = True,
    gpus: Sequence[str] = (),
    clock: Callable[[], float] = time.monotonic,
    conditions: Callable[[], Conditions] | None = read_conditions,
    doing: Callable[[str], None] = lambda _: None,
) -> TrialRecord:
    """Lead one trial over a live session and record it, whatever happens; closes the session.

    The record goes to `keep` before the session is closed, so that an interrupt while closing loses nothing.
    Of other data than that of `data_sha256`, where the worker tells what it loaded, there is no result; with other code
    than that of `workload_sha256` it is interrupted. `conditions` reads those of this machine; None where the workers
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
        workload_sha256=workload_sha256,
    )
    prepare = Prepare(trial=trial, data=data, gpus=list(gpus))
    try:
        status, reason = outcome_of(conductor, lambda: conductor.lead(prepare), last=last)
        record = conductor.record(status, reason, wall_s=clock() - began, log=log, telemetry=telemetry)
        keep(record)
    finally:
        session.close()
    return record


def outcome_of(
    conductor: "Conductor", lead: Callable[[], str | None], *, last: bool = True
) -> tuple[Status, str | None]:
    """Lead to the end, whichever it is, as status and reason."""
    try:
        return "ok", lead()
    except KeyboardInterrupt:
        return "interrupted", BY_THE_USER
    except Ended as end:
        if isinstance(end, PortTaken) and not last:
            raise
        return end.status, str(end)
    except NoAnswer as late:
        return "timeout", f"{conductor.place}: {late}"
    except WorkerLost as lost:
        return lost.status, f"{conductor.place}: {lost}"


@dataclass
class Conductor:
    """Leads one live trial step by step, and keeps what it finds out."""

    session: Session
    trial: Trial
    limits: Limits
    windows: Windows
    clock: Callable[[], float]
    conditions: Callable[[], Conditions] | None
    told: Callable[[str], None] = lambda _: None
    doing: str = "starting"
    epochs: list[EpochRecord] = field(default_factory=list)
    data_sha256: str | None = None
    workload_sha256: str | None = None

    def __post_init__(self) -> None:
        self._meter = Meter(self.session, self.clock)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.found: dict[str, Any] = {"started_utc": now, "windows": self.windows.kept, "epochs": self.epochs}

    def record(self, status: Status, reason: str | None, **more: Any) -> TrialRecord:
        """The trial as it went; its conditions are read once more where it ended before they were."""
        if self.conditions is not None and "conditions_before" in self.found and "conditions_after" not in self.found:
            self.found["conditions_after"] = self.conditions()
        reason = f"global batch {self.trial.cell.batch_words}: {reason}" if status == "oom" else reason
        return TrialRecord(trial=self.trial, status=status, reason=reason, **more, **self.found)

    @property
    def place(self) -> str:
        """Where in the conversation it is, for a reason."""
        return self.doing or f"in window {len(self.windows.kept) + 1}"

    def _go_on(self, to: str, *, in_windows: bool = False) -> None:
        """Do something else, and tell so: who listens takes a moment, which falls into no timed window.

        Within windows the place is the window, whatever they serve.
        """
        self.doing = "" if in_windows else to
        self.told(to)

    def lead(self, prepare: Prepare) -> str | None:
        """The conversation, top to bottom; returns why a figure is missing, or None."""
        ready = self.prepare(prepare)
        if self.limits.budget_s:
            self.windows.deadline = self.clock() + self.limits.budget_s
        try:
            if self.trial.cell.epochs:
                self._train_epochs(ready)
            else:
                self._train_until_certain(ready)
        except BudgetReached:
            self.found.setdefault("stopped_by", "budget")
        self._meter.stop()
        self._communicate(ready)
        if self.limits.diagnosis_s is None:
            self.end()
            return self._why_incomplete(ready)
        missing = [self._diagnose(ready, self.limits.diagnosis_s), self._why_incomplete(ready)]
        return "; ".join(filter(None, missing)) or None

    def prepare(self, prepare: Prepare) -> Ready:
        """Hello, prepare, ready: the first step is done and nothing runs but what was asked."""
        self.tell(prepare)
        return self.readied()

    def tell(self, prepare: Prepare) -> None:
        """Hear hello and tell the worker what to build, without waiting for it."""
        self._go_on("saying hello")
        hello = expect(self.session, Hello, self.limits.hello_s)
        own = hello.workload.sha256 if hello.workload else None
        if own and self.workload_sha256 and own != self.workload_sha256:
            raise Ended(
                "interrupted", "mnist_cnn has changed since the run's first trial: bring that back, or start anew"
            )
        self.found |= {"host": hello.host, "pid": hello.pid, "versions": hello.versions, "workload": hello.workload}
        if hello.protocol_version != PROTOCOL_VERSION:
            raise Ended("error", f"worker speaks protocol {hello.protocol_version}, not {PROTOCOL_VERSION}: update it")
        if self.conditions is not None:
            self.found["conditions_before"] = self.conditions()
        self.session.say(prepare)
        self._go_on("importing, building and compiling")

    def readied(self) -> Ready:
        """Hear that what was told is built and its first step done, and that nothing runs but what was asked."""
        ready = expect(self.session, Ready, self.limits.ready_s)
        names = (
            "effective",
            "build",
            "import_s",
            "build_s",
            "first_step_s",
            "train_images",
            "training_flops_per_image",
            "training_bytes_per_image",
        )
        self.found |= {name: getattr(ready, name) for name in names}
        if wrong := mismatch(self.trial.cell, ready.effective):
            raise Ended("invalid", f"ran with other settings than asked: {wrong}")
        whose = "the worker", "this run"
        if differing := differing_content("data", whose, ready.data_sha256, self.data_sha256):
            raise Ended("invalid", differing)
        start_s, first_s = ready.first_step_start_s, ready.first_step_s
        done = WindowDone(start_s=start_s, window_s=first_s, steps=1, loss=ready.loss, accuracy=ready.accuracy)
        self.doing = ""
        self._meter.start()
        self.windows.in_flight_steps, self.windows.asked_steps = ready.effective.in_flight_steps, done.steps
        self.windows.keep(done, "first_step", short=False)
        return ready

    def _train_epochs(self, ready: Ready) -> None:
        """Whole epochs, evaluated after each; every step counts for accuracy, windows for speed."""
        steps_per_epoch = ready.train_images // self.trial.cell.global_batch
        self._train_epoch(1)
        steps = self.windows.calibrate(ready.effective.buffered_batches, steps_per_epoch - 1)
        left = steps_per_epoch - self.windows.asked_steps
        for epoch in range(1, self.trial.cell.epochs + 1):
            first = len(self.windows.kept) if epoch > 1 else 0
            if epoch > 1:
                if self.windows.over_budget:
                    raise BudgetReached
                self._train_epoch(epoch)
                run_in = min(ready.effective.run_in_steps, steps_per_epoch)
                self.windows.run_in(run_in)
                left = steps_per_epoch - run_in
            self.windows.run(within_epoch(left, steps))
            self._evaluate(epoch, self.windows.kept[first:])
        self.found["stopped_by"] = "epochs"
        missing = max(0, FEWEST_WINDOWS - sum(not window.short for window in self.windows.timed))
        if (missing or not self._stretched()) and not self.windows.over_budget:
            # the epochs are over and evaluated: these windows serve speed and energy alone
            self._go_on("measuring speed alone", in_windows=True)
            self.windows.run_in(ready.effective.run_in_steps)
            self.windows.run(repeat(("window", steps, False), missing))
            self._stretch(steps)

    def _train_epoch(self, epoch: int) -> None:
        self._go_on(f"training epoch {epoch} of {self.trial.cell.epochs}", in_windows=True)

    def _stretch(self, steps: int) -> None:
        """On a GPU go on until there is a stretch of windows that is long enough for its energy."""
        if not self._stretched():
            self.windows.run(repeat(("window", steps, False)), self._stretched)

    def _stretched(self) -> bool:
        if self.trial.cell.kind == "cpu":
            return True
        stretch = longest_stretch(self.windows.kept, self.trial.cell.global_batch)
        return stretch is not None and stretch.seconds >= SHORTEST_STRETCH_S

    def _train_until_certain(self, ready: Ready) -> None:
        """Windows without end, until the stopping rule is content."""

        def stop() -> bool:
            timed = self.windows.timed
            steps, seconds = [window.steps for window in timed], [window.window_s for window in timed]
            if reason := verdict(steps, seconds, self.limits.target):
                self.found["stopped_by"] = reason
            return reason is not None

        self._go_on("measuring", in_windows=True)
        steps = self.windows.calibrate(ready.effective.buffered_batches, None)
        self.windows.run(repeat(("window", steps, False)), stop)
        self._stretch(steps)

    def _communicate(self, ready: Ready) -> None:
        """What computing without all-reduces takes, and all-reduces alone, where an update sums several gradients."""
        cell, effective = self.trial.cell, ready.effective
        if cell.replicas_per_update == 1 or not self.limits.communication:
            return
        self._go_on("measuring communication")
        if has_neighbours(cell):
            step_s = min(window.window_s / window.steps for window in self.windows.kept)
            run_in = effective.run_in_steps
            self.found["computing"] = measure_computing(self.session, run_in, step_s, self.limits, self.clock) or None
        collectives = measure_collectives(self.session, cell, effective.parameters, self.limits, self.clock)
        self.found["collectives"] = collectives

    def _diagnose(self, ready: Ready, seconds: float) -> str | None:
        """Rounds that say what bounds the cell, once all else is known; a trial is ok without.

        Returns why there are too few of them, or none more, or None.
        """
        if self.trial.cell.asynchronous:
            self._take(self._finish())
            return f"no diagnosis: its probes run in every replica at once, which {self.trial.cell.strategy} does not"
        self._go_on("diagnosing")
        steps = max((window.steps for window in self.windows.timed), default=1)
        run_in = ready.effective.run_in_steps
        slowest_s = max(window.window_s for window in self.windows.kept)
        rounds = Rounds(self.session, self.limits, steps=max(steps, run_in), run_in=run_in, slowest_s=slowest_s)
        self._take(rounds.begin())
        done: list[dict[str, float]] = []
        end: str | None = None
        self.found["diagnosis"] = done
        try:
            run_rounds(rounds, seconds, self.clock, done)
            self._finish()
        except (Ended, NoAnswer, WorkerLost) as error:
            end = str(error)
        if len(done) < FEWEST_ROUNDS:
            return f"no diagnosis: {end or f'only {len(done)} of {FEWEST_ROUNDS} rounds in {seconds:g} s'}"
        return end and f"after {len(done)} rounds of diagnosis: {end}"

    def _evaluate(self, epoch: int, windows: list[Window]) -> None:
        self.session.say(Evaluate())
        self._go_on(f"evaluating after epoch {epoch}")
        evaluated = expect(self.session, Evaluated, max(self.limits.answer_s * 5, self.windows.patience_s))
        steps = sum(window.steps for window in windows)
        self.epochs.append(
            EpochRecord(
                epoch=epoch,
                train_loss=sum(window.steps * (window.loss or 0.0) for window in windows) / steps,
                train_accuracy=sum(window.steps * window.accuracy for window in windows) / steps,
                test_loss=evaluated.loss,
                test_accuracy=evaluated.accuracy,
                train_s=sum(window.window_s for window in windows if window.phase != "first_step"),
                evaluate_s=evaluated.evaluate_s,
                evaluate_start_s=evaluated.start_s,
            )
        )
        self.doing = ""
        if evaluated.loss is None:
            raise Ended("nan", f"the test loss is not finite after epoch {epoch}; try a lower learning rate")

    def end(self) -> None:
        """Hear the last word, and keep it."""
        self._take(self._finish())

    def _finish(self) -> Finished:
        self.session.say(Finish())
        self._go_on("finishing")
        return expect(self.session, Finished, self.windows.patience_s)

    def _take(self, finished: Finished) -> None:
        """Keep what the worker tells at the end of the trial proper, and the conditions up to there.

        A diagnosis takes CPU time that the worker has not told, which would pass for other programs'.
        """
        self.found |= finished.model_dump(exclude={"kind", "watchdog_cpu_s", "hosts"})
        self.found["harness"] = self._meter.cost(finished.watchdog_cpu_s)
        first = next(iter(finished.hosts.values()), None)
        if self.conditions is not None:
            self.found["conditions_after"] = self.conditions()
            self.found["own_cpu_s"] = first.own_cpu_s if first else None
        elif first:
            self.found |= {
                "hosts": finished.hosts,
                "conditions_before": first.before,
                "conditions_after": first.after,
            }

    def _why_incomplete(self, ready: Ready) -> str | None:
        """What a budget cut off: the accuracy, if the epochs were not completed."""
        epochs = self.trial.cell.epochs
        if len(self.epochs) < epochs:
            steps = self.windows.asked_steps
            planned = epochs * (ready.train_images // self.trial.cell.global_batch)
            budget = f"the time budget of {self.limits.budget_s:g} s"
            return f"no accuracy: {budget} ended after {steps:,} of {planned:,} steps"
        if not self.windows.timed:
            return "no throughput: the time budget ended within the run-in"
        return None
