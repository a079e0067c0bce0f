"""One pair of processes: A and B live at once and take turns, window by window, or one after the other.

What is timed is as in any trial: a side that was paused first drains what its input piled up meanwhile (a run-in), and
one that is not asked for a window waits for the next command, which costs the other nothing.
"""

import math
import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from bench.execute.conduct import Conductor, outcome_of
from bench.execute.limits import Limits
from bench.execute.session import Session
from bench.execute.windows import Ended, Listener, Wanted, Windows
from bench.host import Conditions
from bench.measure.conditions import read_conditions
from bench.measure.paired import centre_of
from bench.measure.stopping import TURNS_PER_WINDOW, WINDOWS_PER_BUFFER
from bench.measure.workload import PACKAGE
from bench.protocol.answers import EffectiveSettings, Workload
from bench.protocol.commands import Prepare
from bench.store.pairs import Mode, PairRecord
from bench.store.record import TrialRecord
from bench.trial import Status, Trial

_NOT_BEGUN: tuple[Status, str | None] = "skipped", "the other side failed before this one began"
TURN_STEPS = 4
"""At least, in a window of two that take turns: a single step would measure a dispatch with it, and be blind to what
slows but one step in a few."""
FEWEST_ROUNDS = 4
"""Of windows of either side in a pair of processes: fewer leave the pair to one disturbance."""
MOST_ROUNDS = 4000
"""What the centre is taken of grows with their square: 100 MB at so many."""
TELLING_ROUNDS = 8
"""From which on their spread says how well a pair's ratio is known."""
LEAST_S = 4.0
"""Of windows in a pair, however steady: what grows with every step, such as a leak, takes steps to show."""


@dataclass(frozen=True)
class Start:
    """How a side begins: what starts its workers, its trial, and what they are told."""

    launch: Callable[[], Session]
    trial: Trial
    prepare: Prepare
    workload_sha256: str
    log: str | None = None
    data_sha256: str | None = None


class LiveSide:
    """A side whose workers live: it begins, runs windows when asked for one, and ends."""

    def __init__(
        self,
        start: Start,
        limits: Limits,
        listener: Listener,
        clock: Callable[[], float],
        conditions: Callable[[], Conditions] | None = None,
        *,
        last: bool = False,
    ):
        self._last = last
        self.start, self._clock, self._began = start, clock, clock()
        self._session = start.launch()
        self._windows = Windows(self._session, limits, listener, clock)
        # without any: one reading of the machine serves the pair
        read = conditions or (lambda: Conditions(clock_s=clock()))
        self._conductor = Conductor(
            self._session, start.trial, limits, self._windows, clock, read, data_sha256=start.data_sha256
        )
        self._run_in = self.steps = 1
        """Steps that drain what a pause piled up, and those of a window."""
        self._effective: EffectiveSettings | None = None
        self._told = False
        self.outcome = _NOT_BEGUN

    @property
    def failed(self) -> bool:
        """Whether it ended before its time."""
        return self.outcome[0] not in {"ok", "skipped"}

    @property
    def ok(self) -> bool:
        """Whether it has begun and can go on."""
        return self.outcome[0] == "ok"

    @property
    def step_s(self) -> list[float]:
        """Seconds per step in each window so far."""
        return [window.window_s / window.steps for window in self._windows.timed]

    def tell(self) -> None:
        """Have its workers import and build, without waiting for them."""
        self._try(lambda: self._conductor.tell(self.start.prepare))
        self._told = self.ok
        if self._told:
            self.outcome = _NOT_BEGUN

    def ready(self) -> None:
        """Hear that the first step is done; told first if it was not."""
        if not self._told and not self.failed:
            self.tell()
        if self._told:
            self._try(self._ready)

    def settle(self) -> None:
        """Run in until the steps of a window are known, once it is ready."""
        if self.ok:
            self._try(self._settle)

    def window(self, *, paused: bool) -> None:
        """Run one window, after a run-in where the side was `paused`."""
        self._try(lambda: self._window(paused=paused))

    def end(self) -> None:
        """Hear what it took."""
        if self.ok:
            self._try(self._conductor.end)

    def record(self) -> TrialRecord:
        """The side as it went."""
        return self._conductor.record(*self.outcome, wall_s=self._clock() - self._began, log=self.start.log)

    def close(self) -> None:
        """End its workers, whatever state they are in."""
        self._session.close()

    def _ready(self) -> None:
        self._effective = self._conductor.readied().effective
        if wrong := other_code(self._conductor.found["workload"], self.start.workload_sha256):
            raise Ended("invalid", wrong)
        self._run_in = self._effective.run_in_steps

    def _settle(self) -> None:
        assert self._effective
        self.steps = self._windows.calibrate(self._effective.buffered_batches, None)

    @property
    def turn_steps(self) -> int:
        """Steps of a window beside the other side's: fewer than usual, but what a pause piles up asks for at least.

        On GPUs, whose queue every window drains, and over several workers, which meet before each, as many as usual:
        what short ones do to those has not been measured.
        """
        cell = self.start.trial.cell
        if self._effective is None or cell.kind == "gpu" or len(cell.roles) > 1:
            return self.steps
        short = math.ceil(self.steps / TURNS_PER_WINDOW)
        return min(self.steps, max(short, TURN_STEPS, WINDOWS_PER_BUFFER * self._effective.buffered_batches))

    def _window(self, *, paused: bool) -> None:
        run_in: list[Wanted] = [("run_in", self._run_in, False)] if paused else []
        self._windows.run([*run_in, ("window", self.steps, False)])

    def _try(self, action: Callable[[], None]) -> None:
        self.outcome = outcome_of(self._conductor, action, last=self._last)


def other_code(workload: Workload | None, sha256: str) -> str | None:
    """Why a worker's `mnist_cnn` is not that of its side, or None where it is."""
    if workload is not None and workload.sha256 == sha256:
        return None
    imported = f"imported {workload.folder}" if workload else "did not tell what it imported"
    return f"the worker {imported}, which is not the {PACKAGE} of this side"


def run_pair(
    starts: tuple[Start, Start],
    number: int,
    *,
    seed: str,
    mode: Mode,
    seconds: float,
    precision: float | None = None,
    limits: Limits,
    listener: Listener,
    clock: Callable[[], float] = time.monotonic,
    cpu_clock: Callable[[], float] = time.process_time,
    conditions: Callable[[], Conditions] = read_conditions,
    last: bool = False,
) -> PairRecord:
    """Run one pair of fresh processes for at most so many seconds of windows, and at least four rounds of them.

    Sides that take turns stop sooner once log(B ÷ A) is known to `precision`, as a quiet machine needs few rounds. The
    rule looks at the spread alone, so that noise on both sides favours neither; a stall that only one side has, and
    seldom, makes the pairs that it spares short, and counts for less than it would in pairs of one length.
    Whatever happens to a side is on its record, and no worker is left. Of pairs 0 and 1, 2 and 3 and so on either side
    begins one, in an order drawn from `seed`, so that what the first to begin has for it is equally each side's.
    Raises PortTaken where fresh workers may succeed and this was not the `last` attempt.
    """
    before, cpu_began_s = conditions(), cpu_clock()
    order = random.Random(f"{seed} {number}")  # noqa: S311  # an order, not a secret
    places = _begin(seed, number)
    ordered = [starts[place] for place in places]

    def live(start: Start) -> LiveSide:
        return LiveSide(start, limits, listener, clock, last=last)

    if mode == "interleaved":
        records = _interleaved(ordered, seconds, precision, order, live, clock)
    else:
        records = _in_turn(ordered, seconds, live, clock)
    return PairRecord(
        number=number,
        mode=mode,
        first="b" if places[0] else "a",
        a=records[places.index(0)],
        b=records[places.index(1)],
        conditions_before=before,
        conditions_after=conditions(),
        parent_cpu_s=cpu_clock() - cpu_began_s,
    )


def _begin(seed: str, number: int) -> list[int]:
    """Which side of a pair begins first and which second: drawn for every other pair, turned round for the next."""
    drawn = random.Random(f"{seed} {number // 2}").sample((0, 1), 2)  # noqa: S311  # likewise
    return drawn[::-1] if number % 2 else drawn


def _interleaved(
    starts: Sequence[Start],
    seconds: float,
    precision: float | None,
    order: random.Random,
    live: Callable[[Start], LiveSide],
    clock: Callable[[], float],
) -> list[TrialRecord]:
    """Both at once, in rounds of one window each, whose order is drawn anew."""
    with ExitStack() as stack:
        sides: list[LiveSide] = []
        for start in starts:
            sides.append(live(start))
            stack.callback(sides[-1].close)
        _begin_both(sides)
        began_s, rounds, look = clock(), 0, TELLING_ROUNDS
        last: LiveSide | None = sides[-1]
        while all(side.ok for side in sides) and (
            rounds < FEWEST_ROUNDS or (rounds < MOST_ROUNDS and clock() < began_s + seconds)
        ):
            if precision is not None and rounds >= look and clock() >= began_s + LEAST_S:
                if _is_known(sides, precision):
                    break
                # looks grow rarer, for each takes longer than the last, and both sides were paused by it
                look, last = rounds * 5 // 4 + 1, None
            for side in order.sample(sides, 2):
                if all(other.ok for other in sides):
                    side.window(paused=side is not last)
                    last = side
            rounds += 1
        for side in sides:
            side.end()
        return [side.record() for side in sides]


def _begin_both(sides: Sequence[LiveSide]) -> None:
    """Both import at the same time; the first steps may meet too, which is equally either side's loss.

    How many steps a window has is found once neither builds any more, or it would be too few for the first to begin.
    Of equal batches both have as many.
    """
    for act in (LiveSide.tell, LiveSide.ready, LiveSide.settle):
        for side in sides:
            if not any(other.failed for other in sides):
                act(side)
    steps = [side.turn_steps for side in sides]
    if len({side.start.trial.cell.global_batch for side in sides}) == 1:
        steps = [max(steps)] * len(sides)  # what a window costs once then counts the same for both
    for side, own in zip(sides, steps, strict=True):
        side.steps = own


def _is_known(sides: Sequence[LiveSide], precision: float) -> bool:
    """Whether the 95 % interval of log(B ÷ A) over rounds is no wider than this to either side."""
    one, other = (side.step_s for side in sides)
    found = centre_of([math.log(a / b) for a, b in zip(one, other, strict=True)])
    return found is not None and found.half_width <= precision


def _in_turn(
    starts: Sequence[Start],
    seconds: float,
    live: Callable[[Start], LiveSide],
    clock: Callable[[], float],
) -> list[TrialRecord]:
    """One after the other, each with half of the time: where both at once do not fit."""
    records: list[TrialRecord] = []
    for start in starts:
        if records and records[0].status != "ok":
            records.append(TrialRecord(trial=start.trial, status=_NOT_BEGUN[0], reason=_NOT_BEGUN[1]))
            continue
        side = live(start)
        with closing(side):
            side.ready()
            side.settle()
            deadline, rounds = clock() + seconds / 2, 0
            while side.ok and (rounds < FEWEST_ROUNDS or (rounds < MOST_ROUNDS and clock() < deadline)):
                side.window(paused=False)
                rounds += 1
            side.end()
            records.append(side.record())
    return records
