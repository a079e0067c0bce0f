"""One trial from prepare to finish, as the parent leads it: windows, run-in, evaluation, budget, status."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from bench.execute.effective import mismatch
from bench.execute.session import NoAnswer, Session, WorkerLost
from bench.measure.stopping import SHORTEST_WINDOW_S, verdict, window_steps
from bench.protocol import (
    PROTOCOL_VERSION,
    AnyAnswer,
    Evaluate,
    Evaluated,
    Failed,
    Finish,
    Finished,
    Hello,
    Prepare,
    Ready,
    RunWindow,
    WindowDone,
)
from bench.store.record import EpochRecord, Phase, TrialRecord, Window
from bench.trial import Status, StoppedBy, Trial

A = TypeVar("A", bound=AnyAnswer)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a trial may take, in seconds; `target` is the half width that ends an open-ended one.

    `budget_s` is for training and evaluation once the first step is done; reaching it is no failure. The
    others are deadlines: missing one is a `timeout`. A window's grows with what windows took so far.
    """

    budget_s: float | None = None
    target: float = 0.03
    hello_s: float = 60.0
    ready_s: float = 900.0
    answer_s: float = 120.0
    window_patience: float = 20.0


class Listener(Protocol):
    """Hears of a trial's progress while it runs."""

    def window(self, window: Window) -> None:
        """One more window is done."""


class _Ended(Exception):  # noqa: N818  # an end, not always an error
    """The trial cannot go on."""

    def __init__(self, status: Status, reason: str):
        super().__init__(reason)
        self.status = status


class _BudgetReached(Exception):  # noqa: N818  # likewise
    """The time budget is used up; what was measured stands."""


def conduct(
    session: Session,
    trial: Trial,
    *,
    limits: Limits,
    listener: Listener,
    data: str | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> TrialRecord:
    """Lead one trial over a live session and record it, whatever happens; closes the session."""
    conductor = _Conductor(session, trial, limits, listener, clock)
    began = clock()
    try:
        status, reason = conductor.lead(data)
    except KeyboardInterrupt:
        status, reason = "interrupted", "interrupted by the user"
    except _Ended as end:
        status, reason = end.status, str(end)
    except NoAnswer as late:
        status, reason = "timeout", f"{conductor.doing}: {late}"
    except WorkerLost as lost:
        status, reason = "error", f"{conductor.doing}: {lost}"
    finally:
        session.close()
    return TrialRecord(trial=trial, status=status, reason=reason, wall_s=clock() - began, **conductor.found)


@dataclass
class _Conductor:
    session: Session
    trial: Trial
    limits: Limits
    listener: Listener
    clock: Callable[[], float]
    doing: str = "starting"
    windows: list[Window] = field(default_factory=list)
    epochs: list[EpochRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.found: dict[str, Any] = {"started_utc": now, "windows": self.windows, "epochs": self.epochs}
        self.in_flight: deque[tuple[Phase, int, bool]] = deque()
        self.deadline = float("inf")

    def lead(self, data: str | None) -> tuple[Status, str | None]:
        """The conversation, top to bottom."""
        ready = self._prepare(data)
        self.deadline = self.clock() + self.limits.budget_s if self.limits.budget_s else float("inf")
        reason = None
        try:
            if self.trial.cell.epochs:
                self._train_epochs(ready)
            else:
                self._train_until_certain(ready)
        except _BudgetReached:
            self.found["stopped_by"] = "budget"
            reason = self._why_no_accuracy(ready)
        if reason is None and all(window.phase != "window" for window in self.windows):
            reason = "no throughput: the run-in took every step there was; use a smaller global_batch or epochs=0"
        self._finish()
        return "ok", reason

    def _prepare(self, data: str | None) -> Ready:
        """Hello, prepare, ready: the first step is done and nothing runs but what was asked."""
        self.doing = "saying hello"
        hello = self._expect(Hello, self.limits.hello_s)
        self.found |= {"host": hello.host, "pid": hello.pid}
        if hello.protocol_version != PROTOCOL_VERSION:
            raise _Ended("error", f"worker speaks protocol {hello.protocol_version}, not {PROTOCOL_VERSION}: update it")
        self.doing = "importing, building and compiling"
        self.session.say(Prepare(trial=self.trial, data=data))
        ready = self._expect(Ready, self.limits.ready_s)
        names = (
            "effective",
            "import_s",
            "build_s",
            "first_step_s",
            "train_images",
            "training_flops_per_image",
        )
        self.found |= {name: getattr(ready, name) for name in names}
        done = WindowDone(
            start_s=ready.first_step_start_s,
            window_s=ready.first_step_s,
            steps=1,
            loss=ready.loss,
            accuracy=ready.accuracy,
        )
        self._keep(done, "first_step", short=False)
        if wrong := mismatch(self.trial.cell, ready.effective):
            raise _Ended("invalid", f"ran with other settings than asked: {wrong}")
        return ready

    def _train_epochs(self, ready: Ready) -> None:
        """Whole epochs, evaluated after each; every step counts for accuracy, windows for speed."""
        steps_per_epoch = ready.train_images // self.trial.cell.global_batch
        for epoch in range(1, self.trial.cell.epochs + 1):
            if epoch > 1 and self.clock() >= self.deadline:
                raise _BudgetReached
            first = len(self.windows) if epoch > 1 else 0
            left = steps_per_epoch - (1 if epoch == 1 else 0)
            left -= self._run_in(left, ready)
            self._run_windows(_within_epoch(left, self._window_steps(ready)))
            self._evaluate(epoch, self.windows[first:])
        self.found["stopped_by"] = "epochs"

    def _train_until_certain(self, ready: Ready) -> None:
        """Windows without end, until the stopping rule is content."""
        self._run_in(None, ready)
        steps = self._window_steps(ready)
        self.found["stopped_by"] = self._run_windows(("window", steps, False) for _ in iter(int, 1))

    def _run_in(self, left: int | None, ready: Ready) -> int:
        """Steps after a pause, doubled until they last half a window; returns how many, at most `left`."""
        steps, done = ready.effective.buffered_batches + 1, 0
        while left is None or done < left:
            steps = steps if left is None else min(steps, left - done)
            self._ask("run_in", steps, short=False)
            window = self._hear_window()
            done, steps = done + steps, 2 * steps
            if window.window_s >= SHORTEST_WINDOW_S / 2:
                break
        return done

    def _window_steps(self, ready: Ready) -> int:
        last = self.windows[-1]
        return window_steps(last.window_s / last.steps, ready.effective.buffered_batches)

    def _run_windows(self, wanted: "Iterator[tuple[Phase, int, bool]]") -> StoppedBy | None:
        """Windows back to back, the next always queued before the last has ended; drained on every way out."""
        stopped: StoppedBy | None = None
        over_budget = False
        while not stopped and not over_budget:
            while len(self.in_flight) < 2 and (window := next(wanted, None)):
                phase, steps, short = window
                self._ask(phase, steps, short=short)
            if not self.in_flight:
                return None
            self._hear_window()
            over_budget = self.clock() >= self.deadline
            stopped = None if self.trial.cell.epochs else self._stopping_verdict()
        while self.in_flight:
            self._hear_window()
        if over_budget and (self.trial.cell.epochs == 0 or next(wanted, None)):
            raise _BudgetReached
        return stopped

    def _stopping_verdict(self) -> StoppedBy | None:
        timed = [window for window in self.windows if window.phase == "window"]
        steps, seconds = [window.steps for window in timed], [window.window_s for window in timed]
        return verdict(steps, seconds, self.limits.target)

    def _ask(self, phase: Phase, steps: int, *, short: bool) -> None:
        self.session.say(RunWindow(steps=steps))
        self.in_flight.append((phase, steps, short))

    def _hear_window(self) -> Window:
        phase, steps, short = self.in_flight[0]
        self.doing = f"in window {len(self.windows) + 1}"
        slowest = max(window.window_s for window in self.windows)
        done = self._expect(WindowDone, max(self.limits.answer_s, self.limits.window_patience * slowest))
        self.in_flight.popleft()
        if done.steps != steps:
            raise WorkerLost(f"trained {done.steps} steps where {steps} were asked")
        return self._keep(done, phase, short=short)

    def _keep(self, done: WindowDone, phase: Phase, *, short: bool) -> Window:
        window = Window(phase=phase, short=short, **done.model_dump(exclude={"kind"}))
        self.windows.append(window)
        self.listener.window(window)
        if done.loss is None:
            steps = sum(kept.steps for kept in self.windows)
            raise _Ended(
                "nan",
                f"the training loss stopped being finite within {steps} steps; try a lower learning rate",
            )
        return window

    def _evaluate(self, epoch: int, windows: list[Window]) -> None:
        self.doing = f"evaluating after epoch {epoch}"
        self.session.say(Evaluate())
        evaluated = self._expect(Evaluated, self.limits.answer_s * 5)
        steps = sum(window.steps for window in windows)
        self.epochs.append(
            EpochRecord(
                epoch=epoch,
                train_loss=sum(window.steps * (window.loss or 0.0) for window in windows) / steps,
                train_accuracy=sum(window.steps * window.accuracy for window in windows) / steps,
                test_loss=evaluated.loss,
                test_accuracy=evaluated.accuracy,
                train_s=sum(window.window_s for window in windows),
                evaluate_s=evaluated.evaluate_s,
            )
        )
        if evaluated.loss is None:
            raise _Ended("nan", f"the test loss is not finite after epoch {epoch}; try a lower learning rate")

    def _finish(self) -> None:
        self.doing = "finishing"
        self.session.say(Finish())
        finished = self._expect(Finished, self.limits.answer_s)
        self.found |= finished.model_dump(exclude={"kind"})

    def _expect(self, kind: type[A], timeout_s: float) -> A:
        answer = self.session.hear(timeout_s)
        if isinstance(answer, Failed):
            raise _Ended(answer.status, answer.reason)
        if not isinstance(answer, kind):
            raise WorkerLost(f"answered {answer.kind} where {kind.__name__} was due")
        return answer

    def _why_no_accuracy(self, ready: Ready) -> str | None:
        epochs = self.trial.cell.epochs
        if not epochs:
            return None
        steps = sum(window.steps for window in self.windows)
        planned = epochs * (ready.train_images // self.trial.cell.global_batch)
        return f"no accuracy: the time budget of {self.limits.budget_s:g} s ended after {steps:,} of {planned:,} steps"


def _within_epoch(left: int, steps: int) -> "Iterator[tuple[Phase, int, bool]]":
    """Windows of `steps` steps that fill the rest of an epoch exactly; the last may be short."""
    while left > 0:
        size = min(steps, left)
        yield "window", size, size < steps
        left -= size
