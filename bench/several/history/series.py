"""One figure of one cell over the runs of a machine, and the level shifts in it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import fmean

from bench.guard.stored.judge import ACCURACY, MEMORY, THROUGHPUT, Figure
from bench.measure.level_shifts import FEWEST, LevelShift, level_shifts
from bench.measure.statistics import Interval
from bench.several.history.past import PastRun
from bench.trial import Cell

FIGURES = {"throughput": THROUGHPUT, "memory": MEMORY, "accuracy": ACCURACY}
"""What is followed, by the names of files and columns."""


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

    A level is the places of its first and last run, and its mean.
    """

    cell: Cell
    figure: Figure
    seen: tuple[Seen, ...]
    shifts: tuple[Shift, ...]
    levels: tuple[tuple[int, int, float], ...]
    looked_at: int


@dataclass(frozen=True)
class Break:
    """From the run at a place on, figures are not those of the same thing: `what` became another."""

    run: int
    what: str


@dataclass(frozen=True)
class History:
    """The runs of a machine in the order of time."""

    runs: tuple[PastRun, ...]

    @cached_property
    def breaks(self) -> list[Break]:
        """Where the data set or the code that is measured is another than in the run before."""
        found = []
        for place, (one, other) in enumerate(pairwise(self.runs), 1):
            told = [("data set", one.data != other.data), ("benchmark code", one.code != other.code)]
            if words := [what for what, differs in told if differs]:
                found.append(Break(place, " and ".join(words)))
        return found

    @cached_property
    def cells(self) -> list[Cell]:
        """Every cell of any run, in the order in which runs have them."""
        every = {cell_id: cell.figures.cell for run in self.runs for cell_id, cell in run.cells.items()}
        return list(every.values())

    @cached_property
    def series(self) -> list[Series]:
        """Every figure of every cell that a run has one of."""
        every = (self._series(cell, figure) for cell in self.cells for figure in FIGURES.values())
        return [one for one in every if one.seen]

    def _series(self, cell: Cell, figure: Figure) -> Series:
        seen = [one for place, run in enumerate(self.runs) if (one := _seen(run, place, cell, figure))]
        stretches = self._stretches(seen)
        found = [(stretch, _shifts(stretch, figure)) for stretch in stretches]
        return Series(
            cell,
            figure,
            tuple(seen),
            shifts=tuple(shift for _, shifts in found for shift in shifts),
            levels=tuple(level for stretch, shifts in found for level in _levels(stretch, shifts, figure)),
            looked_at=sum(len(stretch) >= FEWEST for stretch in stretches),
        )

    def _stretches(self, seen: Sequence[Seen]) -> list[list[Seen]]:
        """What lies between breaks, each of which is searched by itself."""
        bounds = [0, *(one.run for one in self.breaks), len(self.runs)]
        parts = [[one for one in seen if start <= one.run < end] for start, end in pairwise(bounds)]
        return [part for part in parts if part]


def _seen(run: PastRun, place: int, cell: Cell, figure: Figure) -> Seen | None:
    known = run.cells.get(cell.cell_id)
    value = figure.of(known.figures) if known else None
    if known is None or value is None:
        return None
    return Seen(place, value, known.interval if figure is THROUGHPUT else None)


def _shifts(stretch: Sequence[Seen], figure: Figure) -> list[Shift]:
    found = level_shifts([_scale(figure, one.value) for one in stretch], figure.floor)
    return [_shift(stretch, shift, figure) for shift in found]


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


def _levels(stretch: Sequence[Seen], shifts: Sequence[Shift], figure: Figure) -> list[tuple[int, int, float]]:
    if not shifts:
        return []
    starts = [stretch[0].run, *(shift.after for shift in shifts)]
    ends = [*(shift.before for shift in shifts), stretch[-1].run]
    return [
        (start, end, _mean(figure, [one.value for one in stretch if start <= one.run <= end]))
        for start, end in zip(starts, ends, strict=True)
    ]


def _mean(figure: Figure, values: Sequence[float]) -> float:
    return _unscaled(figure, fmean(_scale(figure, value) for value in values))


def _scale(figure: Figure, value: float) -> float:
    return math.log(value) if figure.relative else value


def _unscaled(figure: Figure, value: float) -> float:
    return math.exp(value) if figure.relative else value
