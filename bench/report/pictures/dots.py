"""Loss and accuracy of one epoch: a row for each cell, for points over one number of an axis would pile up."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report.pictures.canvas import EDGE, picture, styles
from bench.report.pictures.learned import ACCURACY, KINDS, LOSS, Learned, Measure, limit_accuracy, values
from bench.report.pictures.rows import inches_of, lay_rows, row_names
from bench.store.record import EpochRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


def draw_dots(stem: Path, title: str, notes: Sequence[str], cells: Sequence[Learned]) -> None:
    """Draw the epoch of every trial of these cells, none of which has a second."""
    names = row_names([cell.name for cell in cells])
    with picture(stem, title, notes, 2, (11.0, inches_of(names)), KINDS) as (figure, axes):
        for axis, shown in zip(axes, (LOSS, ACCURACY), strict=True):
            for place, cell in enumerate(cells):
                _draw_pairs(axis, shown, [epoch for (epoch,) in cell.trials], place)
            lay_rows(axis, names)
            axis.grid(visible=True, axis="y")
            axis.set(xlabel=f"{shown.label} of epoch 1")
        axes[1].set_yticklabels([])
        axes[0].set_xlim(left=0)
        limit_accuracy(axes[1].set_xlim, cells)
        figure.legend(handles=_kinds(), loc="outside right upper", frameon=False)


def _draw_pairs(axis: "Axes", shown: Measure, epochs: Sequence[EpochRecord], place: int) -> None:
    """Open for training, filled for test, each pair joined so that the eye keeps to the line."""
    train, test = (values(epochs, of) for of in (shown.train, shown.test))
    joined = [value for pair in zip(train, test, strict=True) for value in (*pair, math.nan)]
    axis.plot(joined, [place] * len(joined), color="0.75", linewidth=1.2, zorder=1)
    axis.plot(train, [place] * len(train), "o", markerfacecolor="white", **EDGE)
    axis.plot(test, [place] * len(test), "o", color=styles(1)[0].colour, **EDGE)


def _kinds() -> "list[Line2D]":
    """The legend of open and filled."""
    from matplotlib.lines import Line2D  # noqa: PLC0415  # a second of import that only drawing needs

    filled = styles(1)[0].colour
    return [
        Line2D([], [], linestyle="", marker="o", markerfacecolor="white", label=KINDS[0], **EDGE),
        Line2D([], [], linestyle="", marker="o", color=filled, label=KINDS[1], **EDGE),
    ]
