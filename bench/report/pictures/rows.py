"""A row for each cell beneath each other, its name to the left: where names are long and values are many."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAME_COLUMNS = 46


def row_names(names: Sequence[str]) -> list[str]:
    """The names, broken where they are long."""
    return [textwrap.fill(name, _NAME_COLUMNS) for name in names]


def inches_of(names: Sequence[str]) -> float:
    """The height of a picture with these rows."""
    return max(3.1, 1.9 + 0.11 * len(names) + 0.17 * sum(name.count("\n") + 1 for name in names))


def lay_rows(axis: "Axes", names: Sequence[str]) -> None:
    """Make place for so many rows, counted from 0 at the top, and name them."""
    axis.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.4, -0.6))
    axis.grid(visible=False, axis="y")
