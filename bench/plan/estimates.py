"""How long trials will take: as earlier ones of the cell, else as those of similar cells, else by the budget."""

from bisect import insort
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Literal

from bench.trial import Cell

Basis = Literal["earlier trials", "similar cells", "the budget"]


@dataclass(frozen=True)
class Estimate:
    """Seconds from the start of a trial to its end: the median of so many `trials`.

    By the budget it is at most that, and what comes before the first step besides.
    """

    seconds: float
    basis: Basis
    trials: int = 0


class Estimates:
    """What is known of the seconds that trials take; `budget_s` is that of a trial, None where it has none."""

    def __init__(self, budget_s: float | None):
        self._budget_s = budget_s
        self._took_s: dict[Hashable, list[float]] = {}

    def add(self, cell: Cell, wall_s: float) -> None:
        """Learn how long a trial took that ran to its end."""
        for _, alike in _likenesses(cell):
            insort(self._took_s.setdefault(alike, []), wall_s)

    def of(self, cell: Cell) -> Estimate | None:
        """The best estimate for a trial of a cell; None where nothing is known and nothing limits it."""
        for basis, alike in _likenesses(cell):
            if took_s := self._took_s.get(alike):
                return Estimate(median(took_s), basis, len(took_s))
        return None if self._budget_s is None else Estimate(self._budget_s, "the budget")


def _likenesses(cell: Cell) -> Iterator[tuple[Basis, Hashable]]:
    """What it has in common with cells that take as long, the closest first."""
    work = cell.kind, cell.workers, cell.epochs, cell.input, cell.variant
    yield "earlier trials", cell
    yield "similar cells", (*work, cell.engine, cell.strategy, cell.global_batch)
    yield "similar cells", (*work, cell.engine)
    yield "similar cells", work
