"""Loss and accuracy over epochs, the article's plot: the mean of each cell's seeds, each seed thin, their spread."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.report.pictures.canvas import EDGE, GREY, picture
from bench.report.pictures.labels import Point, name_lines
from bench.report.pictures.learned import ACCURACY, KINDS, LOSS, Learned, Measure, limit_accuracy
from bench.report.text import percent
from mnist_cnn.history import PUBLISHED_TEST_ACCURACY, PUBLISHED_TEST_LOSS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

PUBLISHED_EPOCHS = 10
_MOST_BANDS = 6
"""Of more cells with several seeds, bands and thin lines cover each other."""


def bands_note(cells: Sequence[Learned]) -> str:
    """How to read several seeds; empty where each cell has one."""
    if all(len(cell.seeds) == 1 for cell in cells):
        return ""
    if _crowded(cells):
        return "Lines: the mean over seeds."
    return "Lines: the mean over seeds; thin: each seed; bands: their standard deviation."


def published_note() -> str:
    """What the stars are."""
    figures = f"{percent(PUBLISHED_TEST_ACCURACY)} % and {PUBLISHED_TEST_LOSS:g}"
    return f"Stars: the article's published test figures after {PUBLISHED_EPOCHS} epochs, {figures}."


def draw_curves(stem: Path, title: str, notes: Sequence[str], cells: Sequence[Learned], *, published: bool) -> None:
    """Draw curves over epochs, of which some cell has two or more; `published` adds the article's end marks."""
    names = [cell.name for cell in cells]
    with picture(stem, title, notes, 2, (11.6, 5.0), names) as (figure, axes):
        for axis, shown in zip(axes, (LOSS, ACCURACY), strict=True):
            for cell in cells:
                _draw_cell(axis, shown, cell, crowded=_crowded(cells))
        _dress(axes)
        stars = [PUBLISHED_TEST_LOSS, 100 * PUBLISHED_TEST_ACCURACY] if published else []
        for axis, star in zip(axes, stars, strict=False):
            axis.plot([PUBLISHED_EPOCHS], [star], "*", color="black", markersize=12, zorder=4)
        limit_accuracy(axes[1].set_ylim, cells, stars[1:])
        axes[0].legend(handles=_kinds(), loc="upper right")
        ends = [_end(cell) for cell in cells]
        name_lines(figure, axes[1], ends, names, [cell.style for cell in cells])


def _crowded(cells: Sequence[Learned]) -> bool:
    return sum(len(cell.seeds) > 1 for cell in cells) > _MOST_BANDS


def _draw_cell(axis: "Axes", shown: Measure, cell: Learned, *, crowded: bool) -> None:
    numbers = np.arange(1, cell.epochs + 1)
    train, test = cell.by_seed(shown.train), cell.by_seed(shown.test)
    colour, marker = cell.style.colour, cell.style.marker
    middle, spread = _mean(test), _deviation(test)
    if len(cell.seeds) > 1 and not crowded:
        axis.fill_between(numbers, middle - spread, middle + spread, color=colour, alpha=0.18, linewidth=0)
        gaps = np.full((len(test), 1), np.nan)  # all seeds are one line with gaps
        axis.plot(np.tile([*numbers, np.nan], len(test)), np.hstack([test, gaps]).ravel(), color=colour, linewidth=0.6)
    axis.plot(numbers, _mean(train), "--", color=colour, linewidth=1.1)
    axis.plot(numbers, middle, color=colour, linewidth=1.7, marker=marker, **EDGE)


def _mean(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each epoch over the seeds; NaN where a seed has none, for the others are other seeds."""
    middle: NDArray[np.float64] = table.mean(axis=0)
    return middle


def _deviation(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """The standard deviation of each epoch over the seeds; NaN for a single one."""
    spread: NDArray[np.float64] = table.std(axis=0, ddof=1) if len(table) > 1 else np.full(table.shape[1], np.nan)
    return spread


def _end(cell: Learned) -> Point | None:
    """The last epoch with a mean test accuracy."""
    middle = _mean(cell.by_seed(ACCURACY.test))
    known = np.flatnonzero(~np.isnan(middle))
    return (float(known[-1] + 1), float(middle[known[-1]])) if len(known) else None


def _dress(axes: Sequence["Axes"]) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator  # noqa: PLC0415  # a second of import that only drawing needs

    for axis, shown in zip(axes, (LOSS, ACCURACY), strict=True):
        axis.set(xlabel="epoch", ylabel=shown.label)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set(yscale="log", ylabel=f"{LOSS.label}, logarithmic")
    axes[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes[0].yaxis.set_major_formatter(lambda loss, _: f"{loss:g}")
    axes[0].yaxis.set_minor_formatter("")


def _kinds() -> "list[Line2D]":
    """The legend of dashed and solid."""
    from matplotlib.lines import Line2D  # noqa: PLC0415  # likewise

    return [
        Line2D([], [], color=GREY, linestyle="--", label=KINDS[0]),
        Line2D([], [], color=GREY, marker="o", label=KINDS[1], **EDGE),
    ]
