"""Names of cells for tables and plots: what all share is said once, what differs stands on each."""

from collections.abc import Sequence

from bench.trial import Cell

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


def listed(names: Sequence[str]) -> str:
    """Names one after the other, the first few where there are many."""
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more
