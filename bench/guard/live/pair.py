"""One pair of processes: A and B live at once and take turns, window by window, or one after the other.

What is timed is as in any trial: a side that was paused throws away what its input piled up meanwhile, and runs in; one
that is not asked for a window waits for the next command, which costs the other nothing.
"""

import math
import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing

from bench.execute.limits import Limits
from bench.execute.windows import Listener
from bench.guard.live.live_side import NOT_BEGUN, LiveSide, Start
from bench.host import Conditions
from bench.measure.conditions import read_conditions
from bench.measure.paired import centre_of
from bench.store.pairs import Mode, PairRecord
from bench.store.record import TrialRecord

FEWEST_ROUNDS = 4
"""Of windows of either side in a pair of processes: fewer leave the pair to one disturbance."""
MOST_ROUNDS = 4000
"""What the centre is taken of grows with their square: 100 MB at so many."""
TELLING_ROUNDS = 8
"""From which on their spread says how well a pair's ratio is known."""
LEAST_S = 4.0
"""Of windows in a pair, however steady: what grows with every step, such as a leak, takes steps to show."""


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
            records.append(TrialRecord(trial=start.trial, status=NOT_BEGUN[0], reason=NOT_BEGUN[1]))
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
