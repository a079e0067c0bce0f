"""The runs of one machine in the order of time: what became another on the way, and a series for each figure."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from bench.several.history.past import NOT_TOLD, PastRun
from bench.several.history.series import FIGURES, Series, series_of
from bench.trial import Cell


@dataclass(frozen=True)
class Break:
    """From the run at a place on, figures are not those of the same thing, because of `what`."""

    run: int
    what: str


@dataclass(frozen=True)
class History:
    """The runs, the oldest first; there is one at least."""

    runs: tuple[PastRun, ...]

    @cached_property
    def breaks(self) -> list[Break]:
        """Where the data set, or the code that is measured, is not known to be that of the run before."""
        pairs = enumerate(pairwise(self.runs), 1)
        return [Break(place, " and ".join(words)) for place, pair in pairs if (words := list(_became(*pair)))]

    @cached_property
    def bounds(self) -> list[int]:
        """The places where stretches between breaks begin, and the end of the last."""
        return [0, *(one.run for one in self.breaks), len(self.runs)]

    @cached_property
    def cells(self) -> list[Cell]:
        """Every cell of any run, in the order in which runs have them."""
        every = {cell_id: cell.figures.cell for run in self.runs for cell_id, cell in run.cells.items()}
        return list(every.values())

    @cached_property
    def series(self) -> list[Series]:
        """Every figure of every cell that a run has one of."""
        every = (series_of(self.runs, self.bounds, cell, figure) for cell in self.cells for figure in FIGURES.values())
        return [one for one in every if one.seen]


def _became(before: PastRun, after: PastRun) -> Iterator[str]:
    if before.data != after.data:
        yield "another data set"
    if before.code != after.code:
        yield "benchmark code not recorded by both" if NOT_TOLD in {before.code, after.code} else "other benchmark code"
