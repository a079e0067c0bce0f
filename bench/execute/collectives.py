"""Leads the all-reduces of a live trial of several replicas: the gradient's size first, then a sweep."""

import math
from collections.abc import Callable, Iterator

from bench.execute.limits import Limits
from bench.execute.session import Session
from bench.execute.windows import expect
from bench.protocol import CollectivesMeasured, MeasureCollectives
from bench.store.record import CollectiveWindow

WINDOW_S = 0.05
"""About as long is each window, so that a clock reading and a barrier vanish in it."""
WINDOWS = 5
BUDGET_S = 6.0
"""No new size begins after this: on a slow link the sweep is cut off, never what the forecast needs."""
_MOST_CALLS = 10_000


def sizes(parameters: int) -> list[int]:
    """Numbers of float32: the gradient's, next to nothing, and a sweep from 4 KiB to four times the gradient."""
    return list(dict.fromkeys([parameters, 1, 2**10, 2**14, 2**17, 4 * parameters]))


def measure_collectives(
    session: Session, parameters: int, limits: Limits, clock: Callable[[], float]
) -> list[CollectiveWindow]:
    """Windows of every size for which there is time; those of the gradient and of a single float always."""
    deadline = clock() + BUDGET_S
    found: list[CollectiveWindow] = []
    for number, elements in enumerate(sizes(parameters)):
        if number < 2 or clock() < deadline:
            found += _windows(session, elements, limits)
    return found


def _windows(session: Session, elements: int, limits: Limits) -> Iterator[CollectiveWindow]:
    _one(session, elements, 1, limits.ready_s)  # traces
    # a few to be rid of a first one's cost, then as many as fill a window
    call_s = _one(session, elements, 3, limits.answer_s).window_s / 3
    calls = min(max(math.ceil(WINDOW_S / call_s), 1), _MOST_CALLS)
    for _ in range(WINDOWS):
        measured = _one(session, elements, calls, limits.answer_s)
        yield CollectiveWindow(elements=elements, calls=calls, window_s=measured.window_s)


def _one(session: Session, elements: int, calls: int, patience_s: float) -> CollectivesMeasured:
    session.say(MeasureCollectives(elements=elements, calls=calls))
    return expect(session, CollectivesMeasured, patience_s)
