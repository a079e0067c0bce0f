"""Names of cells for tables and plots: what all share is said once, what differs stands on each."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from bench.report.cells import CellSummary
from bench.trial import Cell

T = TypeVar("T")
MOST_DRAWN = 24
"""Of more series or points in one picture, no eye tells one from another."""
_MOST_LISTED = 6


def short_names(cells: Sequence[Cell]) -> tuple[list[str], str]:
    """A name for each cell from the words that not all have, and the words that all have."""
    labels = [cell.label.split() if cell.settings else [] for cell in cells]
    # a single cell, or one cell many times, keeps its whole name
    differ = len({tuple(label) for label in labels}) > 1
    shared = [word for word in labels[0] if all(word in label for label in labels)] if differ else []
    names = [" ".join(word for word in label if word not in shared) or "default" for label in labels]
    return names, " ".join(shared)


def without_batch(cell: Cell) -> Cell:
    """The cell at the default global batch: cells that differ in nothing else form one line of a plot."""
    return cell.model_copy(update={"global_batch": Cell().global_batch})


def absent(every: Sequence[CellSummary], drawn: Sequence[CellSummary], why: Callable[[CellSummary], str]) -> str:
    """A sentence on the cells that a picture does not show, the first few by name; empty if it shows all."""
    names, _ = short_names([cell.cell for cell in every])
    shown = {cell.cell.cell_id for cell in drawn}
    missing = [
        f"{name} ({why(cell)})" for name, cell in zip(names, every, strict=True) if cell.cell.cell_id not in shown
    ]
    more = f" and {len(missing) - _MOST_LISTED} more" if len(missing) > _MOST_LISTED else ""
    return f"Not drawn: {', '.join(missing[:_MOST_LISTED])}{more}." if missing else ""


def leading(items: Sequence[T], figure: Callable[[T], float], most: int = MOST_DRAWN) -> list[T]:
    """The items with the highest figures, `most` at most, in the order that they had."""
    best = set(sorted(range(len(items)), key=lambda place: -figure(items[place]))[:most])
    return [item for place, item in enumerate(items) if place in best]


def left_out(drawn: int, of: int, which: str) -> str:
    """A sentence on what a picture leaves out because it is too much to see; empty if it shows all."""
    return f"Drawn are {which} of {of:,}; {of - drawn:,} more are in trials.csv." if drawn < of else ""
