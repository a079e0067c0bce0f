"""One figure of one cell over the runs of a machine, and the level shifts in it between breaks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.guard.stored.judge import ACCURACY, MEMORY, THROUGHPUT, Figure
from bench.measure.level_shifts import FEWEST, LevelShift, drifts, level_shifts
from bench.measure.statistics import Interval
from bench.several.history.past import PastRun
from bench.trial import Cell

FIGURES = {"throughput": THROUGHPUT, "memory": MEMORY, "accuracy": ACCURACY}
"""What is followed, by the names of files and columns."""

_SMALLEST, _LARGEST = 1e-6, 1e19
"""What a file claims beyond is of no machine, and nothing could be drawn beside it."""


@dataclass(frozen=True)
class Seen:
    """What one run found; `run` is its place in the history. The interval is of a throughput."""

    run: int
    value: float
    interval: Interval | None


@dataclass(frozen=True)
class Shift:
    """A step between the runs at two places. `change` and its interval are shares where the figure is relative."""

    before: int
    after: int
    level_before: float
    level_after: float
    change: float
    interval: Interval


@dataclass(frozen=True)
class Series:
    """What the runs found in the order of time, the levels between shifts, and how many stretches were looked at.

    A level is the places of its first and last run, and its mean. `drifting`: around the levels of a stretch that
    shifted, runs still follow their neighbours.
    """

    cell: Cell
    figure: Figure
    seen: tuple[Seen, ...]
    shifts: tuple[Shift, ...]
    levels: tuple[tuple[int, int, float], ...]
    looked_at: int
    drifting: bool


def series_of(runs: Sequence[PastRun], bounds: Sequence[int], cell: Cell, figure: Figure) -> Series:
    """A figure of a cell over runs; `bounds` are the places where stretches begin, and the end of the last."""
    seen = [one for place, run in enumerate(runs) if (one := _seen(run, place, cell, figure))]
    parts = [[one for one in seen if start <= one.run < end] for start, end in pairwise(bounds)]
    found = [(part, *_shifts(part, figure)) for part in parts if part]
    return Series(
        cell,
        figure,
        tuple(seen),
        shifts=tuple(shift for _, shifts, _ in found for shift in shifts),
        levels=tuple(level for part, shifts, _ in found for level in _levels(part, shifts)),
        looked_at=sum(len(part) >= FEWEST for part in parts),
        drifting=any(drifting for _, _, drifting in found),
    )


def _seen(run: PastRun, place: int, cell: Cell, figure: Figure) -> Seen | None:
    known = run.cells.get(cell.cell_id)
    value = figure.of(known.figures) if known else None
    if known is None or value is None or (figure.relative and not _SMALLEST <= value <= _LARGEST):
        return None
    return Seen(place, value, known.interval if figure is THROUGHPUT else None)


def _shifts(stretch: Sequence[Seen], figure: Figure) -> tuple[list[Shift], bool]:
    """The shifts of a stretch, and whether there are any and it drifts."""
    values = [_scale(figure, one.value) for one in stretch]
    found = level_shifts(values, figure.floor)
    return [_shift(stretch, shift, figure) for shift in found], bool(found) and drifts(values, found)


def _shift(stretch: Sequence[Seen], shift: LevelShift, figure: Figure) -> Shift:
    change = math.expm1 if figure.relative else float
    return Shift(
        before=stretch[shift.place - 1].run,
        after=stretch[shift.place].run,
        level_before=_unscaled(figure, shift.before),
        level_after=_unscaled(figure, shift.after),
        change=change(shift.size),
        interval=Interval(change(shift.interval.low), change(shift.interval.high)),
    )


def _levels(stretch: Sequence[Seen], shifts: Sequence[Shift]) -> list[tuple[int, int, float]]:
    if not shifts:
        return []
    starts = [stretch[0].run, *(shift.after for shift in shifts)]
    ends = [*(shift.before for shift in shifts), stretch[-1].run]
    means = [shifts[0].level_before, *(shift.level_after for shift in shifts)]
    return list(zip(starts, ends, means, strict=True))


def _scale(figure: Figure, value: float) -> float:
    return math.log(value) if figure.relative else value


def _unscaled(figure: Figure, value: float) -> float:
    return math.exp(value) if figure.relative else value
