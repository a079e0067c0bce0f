"""Claims about forecasts of more workers than two, held against all-reduces of as many."""

import random
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from delays import MOST_ERROR
from distant import apart, cell_of, keep, record_of, sized, summed
from outcomes import Outcome, shown, within
from workers import Side

from bench.execute.collectives import sizes
from bench.measure.communication import Communication, communication_of, ring_s
from bench.measure.paired import centre_of
from bench.store.record import CollectiveWindow

TRIED = (2, 3, 4)
BATCH = 4
"""Images of each worker, which never trains here."""


def take_ring(scratch: Path, folder: Path, delay_s: float, looks: Sequence[int]) -> list[Outcome]:
    """The gradient's all-reduce of three and four workers, from that of two at the same delay, within rounds.

    Until both are known to be near or not, or to the last look.
    """
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
        for look in looks:
            for _ in range(look - len(taken[TRIED[0]])):
                for workers in order.sample(TRIED, len(TRIED)):
                    taken[workers].append([summed(sides[workers], one) for one in asked[workers]])
            found = {workers: _found(side, taken[workers]) for workers, side in sides.items()}
            alpha = 0.05 / len(looks)
            outcomes = [forecast_of(more, found[TRIED[0]], found[more], delay_s, alpha) for more in TRIED[1:]]
            if all(outcome.verdict != "unsure" for outcome in outcomes):
                break
    for workers, side in sides.items():
        keep(folder, delay_s, record_of(side, collectives=[window for one in taken[workers] for window in one]))
    return outcomes


def _found(side: Side, rounds: Sequence[Sequence[CollectiveWindow]]) -> list[Communication]:
    parameters, cell = side.ready.effective.parameters, side.cell
    each = [communication_of(windows, parameters, cell.replicas, pulled=cell.pulls_messages) for windows in rounds]
    return [one for one in each if one is not None]


def forecast_of(
    workers: int, two: Sequence[Communication], more: Sequence[Communication], delay_s: float, alpha: float
) -> Outcome:
    """The forecast from two ÷ what more workers took, within rounds, with an interval that errs with `alpha`."""
    forecast_s = [ring_s(one.links[0], one.gradient.size_bytes, workers) for one in two]
    ratio = centre_of([told / one.gradient.seconds for told, one in zip(forecast_s, more, strict=True)], alpha)
    assert ratio is not None, "there are enough rounds"
    return Outcome(
        f"the all-reduce of {workers} workers is forecast from that of two within {100 * MOST_ERROR:.0f} %",
        f"+{1e3 * delay_s:g} ms a message",
        f"{shown(ratio, 3)} of it",
        f"{len(more)} rounds",
        within(ratio, 1 - MOST_ERROR, 1 + MOST_ERROR),
    )
