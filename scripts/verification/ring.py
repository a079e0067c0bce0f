"""Claims about forecasts of more workers than two, held against all-reduces of as many."""

import random
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from delays import MOST_ERROR
from distant import apart, cell_of, keep, record_of, sized, summed
from outcomes import Outcome, shown, within

from bench.execute.collectives import sizes
from bench.measure.communication import Communication, communication_of, ring_s
from bench.measure.paired import centre_of

if TYPE_CHECKING:
    from bench.store.record import CollectiveWindow

TRIED = (2, 3, 4)
BATCH = 4
"""Images of each worker, which never trains here."""


def take_ring(scratch: Path, folder: Path, delay_s: float, rounds: int) -> list[Outcome]:
    """The gradient's all-reduce of three and four workers, from that of two at the same delay, within rounds."""
    order = random.Random(0)  # noqa: S311  # an order, not a secret
    taken: dict[int, list[list[CollectiveWindow]]] = {workers: [] for workers in TRIED}
    with ExitStack() as stack:
        sides = {
            workers: stack.enter_context(apart(scratch, cell_of(workers, BATCH, "fused"), delay_s)) for workers in TRIED
        }
        parameters = sides[TRIED[0]].ready.effective.parameters
        asked = {
            workers: [sized(side, elements) for elements in (parameters, min(sizes(parameters, workers)))]
            for workers, side in sides.items()
        }
        for _ in range(rounds):
            for workers in order.sample(TRIED, len(TRIED)):
                taken[workers].append([summed(sides[workers], one) for one in asked[workers]])
    for workers, side in sides.items():
        keep(folder, delay_s, record_of(side, collectives=[window for one in taken[workers] for window in one]))

    def found(workers: int) -> list[Communication]:
        pulled = sides[workers].cell.pulls_messages
        each = [communication_of(windows, parameters, workers, pulled=pulled) for windows in taken[workers]]
        return [one for one in each if one is not None]

    return [forecast_of(workers, found(TRIED[0]), found(workers), delay_s) for workers in TRIED[1:]]


def forecast_of(workers: int, two: Sequence[Communication], more: Sequence[Communication], delay_s: float) -> Outcome:
    """The forecast from two ÷ what more workers took, within rounds."""
    forecast_s = [ring_s(one.links[0], one.gradient.size_bytes, workers) for one in two]
    ratio = centre_of([told / one.gradient.seconds for told, one in zip(forecast_s, more, strict=True)])
    assert ratio is not None, "there are enough rounds"
    return Outcome(
        f"the all-reduce of {workers} workers is forecast from that of two within {100 * MOST_ERROR:.0f} %",
        f"+{1e3 * delay_s:g} ms a message",
        f"{shown(ratio, 3)} of it",
        f"{len(more)} rounds",
        within(ratio, 1 - MOST_ERROR, 1 + MOST_ERROR),
    )
