"""The Pareto front of speed and accuracy, as far as the trials show one."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from bench.report.cells import CellSummary
from bench.report.pictures.canvas import GREY
from bench.trial import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, float]


def front_note(cells: Sequence[CellSummary], beaten: set[Cell]) -> str:
    """How to read the front, or why there is none."""
    if len(cells) < 2:
        return ""
    told = (
        "which takes 3 seeds or more of each, intervals between processes apart, and accuracies further apart than both"
    )
    if not beaten:
        return f"No front: no cell is shown to be beaten in both speed and accuracy, {told} standard deviations."
    return f"Hollow: beaten by another cell in both speed and accuracy, {told} standard deviations. Dashed: the front."


def draw_front(axis: "Axes", points: Sequence[Point]) -> list[tuple[Point, Point]]:
    """Draw the stairs from the cells that are not beaten down to the axes; returns them in pieces."""
    corners = stairs(points, axis.get_xlim()[0], axis.get_ylim()[0])
    axis.plot(*zip(*corners, strict=True), color=GREY, linestyle="--", linewidth=1.2, zorder=1)
    return list(pairwise(corners))


def stairs(points: Sequence[Point], left: float, bottom: float) -> list[Point]:
    """The corners of the line below and left of which a point is no better in either figure than one on the line.

    From the left to the bottom of the picture; there is one point at least.
    """
    best: list[Point] = []
    for x, y in sorted(points, reverse=True):
        if not best or y > best[-1][1]:
            best.append((x, y))
    falling = best[::-1]
    corners = [(left, falling[0][1])]
    for (x, y), (_, below) in zip(falling, [*falling[1:], (0.0, bottom)], strict=True):
        corners += [(x, y), (x, below)]
    return corners
