"""The windows of one live trial: asked for ahead of time, heard in order, kept with their phase."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from bench.execute.limits import Limits
from bench.execute.session import Session, WorkerLost
from bench.measure.stopping import SHORTEST_WINDOW_S, window_steps
from bench.protocol.answers import Failed, WindowDone
from bench.protocol.commands import RunWindow
from bench.protocol.conversation import AnyAnswer
from bench.store.windows import Phase, Window
from bench.trial import Status

A = TypeVar("A", bound=AnyAnswer)
Wanted = tuple[Phase, int, bool]
"""Phase, steps, and whether it is shorter than the others because an epoch ends."""


class Ended(Exception):  # noqa: N818  # an end, not always an error
    """The trial cannot go on; `status` is what it ends with."""

    def __init__(self, status: Status, reason: str):
        super().__init__(reason)
        self.status = status


class PortTaken(Ended):
    """A worker's port was taken between its hello and its use; fresh workers have other ports."""


class BudgetReached(Exception):  # noqa: N818  # likewise
    """The time budget is used up; what was measured stands."""


class Listener(Protocol):
    """Hears of a trial's progress while it runs."""

    def window(self, window: Window) -> None:
        """One more window is done."""


def expect(session: Session, kind: type[A], timeout_s: float) -> A:
    """Hear the next answer, which must be of a kind; raises Ended where the worker has failed."""
    answer = session.hear(timeout_s)
    if isinstance(answer, Failed):
        raise (PortTaken if answer.port_taken else Ended)(answer.status, answer.reason)
    if not isinstance(answer, kind):
        raise WorkerLost(f"answered {answer.kind} where {kind.__name__} was due")
    return answer


def within_epoch(left: int, steps: int) -> Iterator[Wanted]:
    """Windows of `steps` steps that fill the rest of an epoch exactly; the last may be short."""
    while left > 0:
        size = min(steps, left)
        yield "window", size, size < steps
        left -= size


class Windows:
    """Asks a session for windows until `deadline` on the clock, and keeps what it answers in `kept`."""

    def __init__(self, session: Session, limits: Limits, listener: Listener, clock: Callable[[], float]):
        self._session, self._limits, self._listener, self._clock = session, limits, listener, clock
        self._in_flight: deque[Wanted] = deque()
        self.deadline = float("inf")
        self.in_flight_steps = 0
        """By how many a window's steps may differ from those asked (`EffectiveSettings`)."""
        self.afresh = False
        """Whether a run-in begins without what a pause piled up: where every image is to be trained, it may not."""
        self.asked_steps = 0
        """Of all windows so far, and of the first step: what the worker trains once nothing is under way."""
        self.kept: list[Window] = []

    @property
    def over_budget(self) -> bool:
        """Whether the deadline has come."""
        return self._clock() >= self.deadline

    @property
    def timed(self) -> list[Window]:
        """The windows that are measurements: neither first step nor run-in."""
        return [window for window in self.kept if window.phase == "window"]

    def keep(self, done: WindowDone, phase: Phase, *, short: bool) -> Window:
        """Keep a window; raises Ended where its loss is not finite."""
        window = Window(phase=phase, short=short, **done.model_dump(exclude={"kind"}))
        self.kept.append(window)
        self._listener.window(window)
        if done.loss is None:
            steps = sum(kept.steps for kept in self.kept)
            reason = f"the training loss stopped being finite within {steps} steps; try a lower learning rate"
            raise Ended("nan", reason)
        return window

    def calibrate(self, buffered_batches: int, left: int | None) -> int:
        """Run in until a window's steps are known, past what buffers hold; returns those.

        Two windows at least, of doubling length until one lasts half a window, and at most `left` steps; the
        fastest of them counts, since a stall, such as a library that loads, makes a window slow, never fast.
        """
        steps, ran = buffered_batches + self.in_flight_steps + 1, list[Window]()
        while (left is None or left > 0) and not self.over_budget:
            steps = steps if left is None else min(steps, left)
            ran.append(self.run_in(steps))
            left = None if left is None else left - steps
            if len(ran) > 1 and ran[-1].window_s >= SHORTEST_WINDOW_S / 2:
                break
            steps *= 2
        step_s = min(window.window_s / window.steps for window in ran or self.kept)
        return window_steps(step_s, buffered_batches)

    def run_in(self, steps: int) -> Window:
        """Train steps that follow a pause; timed, but no measurement."""
        self._ask(("run_in", steps, False))
        return self._hear()

    def run(self, wanted: Iterable[Wanted], stop: Callable[[], bool] = lambda: False) -> None:
        """Run windows back to back, the next queued before the last has ended, drained on every way out.

        Ends when there are no more, or when `stop` says so after one of them; raises BudgetReached when the
        deadline leaves some undone.
        """
        coming, stopped = iter(wanted), False
        while not stopped:
            while self._may_queue() and (window := next(coming, None)):
                self._ask(window)
            if not self._in_flight:
                break
            self._hear()
            stopped = stop()
        while self._in_flight:
            self._hear()
        if not stopped and next(coming, None):
            raise BudgetReached

    def _may_queue(self) -> bool:
        """Two windows at most, none over the budget, and the second only if the budget has room for both."""
        if not self._in_flight:
            return not self.over_budget
        return len(self._in_flight) == 1 and self._clock() + 2 * self.kept[-1].window_s < self.deadline

    def _ask(self, window: Wanted) -> None:
        phase, steps, _ = window
        self._session.say(RunWindow(steps=steps, afresh=self.afresh and phase == "run_in"))
        self.asked_steps += steps
        self._in_flight.append(window)

    @property
    def patience_s(self) -> float:
        """Seconds to wait for a window, or for what is said once those in flight are done: more where they are slow.

        The first step, which traces and compiles, says nothing of those to come once there is another.
        """
        slowest = max(window.window_s for window in self.kept[1:] or self.kept)
        return max(self._limits.answer_s, self._limits.window_patience * slowest)

    def _hear(self) -> Window:
        phase, steps, short = self._in_flight[0]
        done = expect(self._session, WindowDone, self.patience_s)
        self._in_flight.popleft()
        if abs(done.steps - steps) > self.in_flight_steps:
            raise WorkerLost(f"trained {done.steps} steps where {steps} were asked")
        return self.keep(done, phase, short=short)
