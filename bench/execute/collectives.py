"""Leads the all-reduces of a live trial of several replicas: the gradient's size first, then a sweep."""

import math
from collections.abc import Callable, Iterator

from bench.execute.limits import Limits
from bench.execute.session import Session
from bench.execute.windows import expect
from bench.protocol.answers import CollectivesMeasured
from bench.protocol.commands import MeasureCollectives
from bench.store.record import CollectiveWindow
from bench.trial import Cell

WINDOW_S = 0.05
"""About as long is each window, so that a clock reading and a barrier vanish in it."""
WINDOWS = 5
BUDGET_S = 6.0
"""No new size begins after this: on a slow link the sweep is cut off, never what the forecast needs."""
_FEWEST_CALLS, _MOST_CALLS = 8, 10_000
"""However slow the link is: what a dispatch costs once is to vanish among its all-reduces."""
_ELEMENTS_PER_MESSAGE = 16
"""The fewest float32 of which TensorFlow makes one: it aligns parts to 64 bytes (EIGEN_MAX_ALIGN_BYTES)."""


def sizes(parameters: int, replicas: int) -> list[int]:
    """Numbers of float32: the gradient's, next to nothing in every message of a ring, and a sweep.

    The sweep goes from 4 KiB to four times the gradient.
    """
    least = _ELEMENTS_PER_MESSAGE * replicas
    return list(
        dict.fromkeys([parameters, least, *(size for size in (2**10, 2**14, 2**17) if size > least), 4 * parameters])
    )


def measure_collectives(
    session: Session, cell: Cell, parameters: int, limits: Limits, clock: Callable[[], float]
) -> list[CollectiveWindow]:
    """Windows of every size for which there is time; those of the gradient and of next to nothing always.

    Where workers dispatch step by step they agree on each collective anew: the gradient's is measured like that, too.
    """
    deadline = clock() + BUDGET_S
    found: list[CollectiveWindow] = []
    if cell.workers > 1 and cell.engine != "fused":
        found += _windows(session, parameters, limits, dispatched=True)
    for number, elements in enumerate(sizes(parameters, cell.replicas)):
        if number < 2 or clock() < deadline:
            found += _windows(session, elements, limits)
    return found


def _windows(
    session: Session, elements: int, limits: Limits, *, dispatched: bool = False
) -> Iterator[CollectiveWindow]:
    def one(calls: int, patience_s: float = limits.answer_s) -> CollectivesMeasured:
        session.say(MeasureCollectives(elements=elements, calls=calls, dispatched=dispatched))
        return expect(session, CollectivesMeasured, patience_s)

    one(1, limits.ready_s)  # traces
    # a few to be rid of a first one's cost, then as many as fill a window
    call_s = one(3).window_s / 3
    calls = min(max(math.ceil(WINDOW_S / call_s), _FEWEST_CALLS), _MOST_CALLS)
    for _ in range(WINDOWS):
        measured = one(calls)
        yield CollectiveWindow(elements=elements, calls=calls, dispatched=dispatched, window_s=measured.window_s)
