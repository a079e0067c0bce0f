"""Several runs over the one that they are relative to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from bench.errors import UsageError
from bench.guard.stored.compare import Compared, Comparison, Joined, cells_of, compare
from bench.guard.stored.prices import places_of
from bench.report.cells import CellSummary
from bench.trial import Cell


@dataclass(frozen=True)
class Together:
    """Two runs or more in the order given, of which `reference` is the place of the one that counts as 1."""

    runs: tuple[Compared, ...]
    reference: int

    @property
    def first(self) -> Compared:
        """The run that all are relative to."""
        return self.runs[self.reference]

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Every other run beside the reference, in their order."""
        return [compare(self.first, run) for place, run in enumerate(self.runs) if place != self.reference]

    @cached_property
    def cells(self) -> list[Cell]:
        """Every cell of any run: those of the reference first, which stand for what they are joined with."""
        runs = [self.first, *self.runs]
        every = [self._shared(run, cell.cell) for run in runs for cell in run.cells]
        return list({cell.cell_id: cell for cell in every}.values())

    @cached_property
    def _own(self) -> dict[tuple[str, str], Cell]:
        """The reference's cell that a run's cell is joined with."""
        return {(one.other.letter, two.cell.cell_id): own.cell for one in self.comparisons for own, two in one.pairs}

    def _shared(self, run: Compared, cell: Cell) -> Cell:
        return self._own.get((run.letter, cell.cell_id), cell)

    @cached_property
    def _found(self) -> list[dict[str, CellSummary]]:
        return [{self._shared(run, cell.cell).cell_id: cell for cell in run.cells} for run in self.runs]

    @cached_property
    def _joined(self) -> dict[tuple[str, str], Joined]:
        return {(one.other.letter, own.cell.cell_id): own for one in self.comparisons for own in one.joined}

    def found(self, cell: Cell) -> list[CellSummary | None]:
        """What each run has of a cell; None where it is not in the run."""
        return [found.get(cell.cell_id) for found in self._found]

    def joined(self, run: Compared, cell: Cell) -> Joined | None:
        """A run's cell over the reference's; None where not both measured it, and for the reference itself."""
        return self._joined.get((run.letter, cell.cell_id))


def together(runs: Sequence[Compared], relative_to: str | None) -> Together:
    """The runs over the one of that name, by default the first, to whose target accuracy all are held.

    Raises UsageError for a name that fits no run, or several.
    """
    place = 0 if relative_to is None else _place(runs, relative_to)
    target = runs[place].stored.run.target_accuracy
    if target == runs[0].stored.run.target_accuracy:
        return Together(tuple(runs), place)
    return Together(tuple(replace(run, cells=cells_of(run.stored, target)) for run in runs), place)


def _place(runs: Sequence[Compared], name: str) -> int:
    places = places_of(runs, name, "--relative-to")
    if len(places) > 1:
        letters = ", ".join(runs[place].letter for place in places)
        raise UsageError(f"--relative-to {name}: fits runs {letters}; give one of these letters")
    return places[0]
