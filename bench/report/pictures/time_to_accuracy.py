"""Seconds to the target accuracy, a row for each cell that reached it."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report.cells import FEWEST_PROCESSES, CellSummary
from bench.report.names import MOST_DRAWN, absent, left_out, short_names
from bench.report.pictures.canvas import EDGE, Picture, picture, styles
from bench.report.pictures.rows import inches_of, lay_rows, row_names
from bench.report.text import percent, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDE = 20.0
"""From a factor like this between the last and the first on, an axis from 0 shows nothing of the first."""
_HOW = (
    "From the start of the first step, compiling included, to the end of the evaluation that first found the target; "
    "evaluation is once an epoch."
)


def plot_time_to_accuracy(stem: Path, every: Sequence[CellSummary]) -> Picture | None:
    """Draw every trial that reached the target, and the median of each cell; None if none reached it."""
    reached = sorted((cell for cell in every if cell.ok and cell.reached), key=_rank)
    if not reached:
        return None
    cells = reached[:MOST_DRAWN]
    names, shared = short_names([cell.cell for cell in cells])
    words = row_names([f"{name}{_share(cell)}" for name, cell in zip(names, cells, strict=True)])
    title = _title(reached, names[0])
    small = "Small: each trial, large: their median." * any(cell.evaluated > 1 for cell in cells)
    hollow = "Hollow: k/n of the trials reached it, and the median is of those." * any(not _all(cell) for cell in cells)
    more = left_out(len(cells), len(reached), f"the {len(cells)} cells that were there first, if with all trials,")
    notes = [f"All cells: {shared}." if shared else "", _HOW, small, hollow, more, absent(every, reached, _why)]
    with picture(stem, title, notes, 1, (9.6, inches_of(words))) as (_, (axis,)):
        _draw(axis, cells)
        lay_rows(axis, words)
    return Picture.of(stem, title, notes)


def _median_s(cell: CellSummary) -> float:
    return cell.time_to_accuracy_s or 0.0


def _times_s(cell: CellSummary) -> list[float]:
    return [row.time_to_accuracy_s for row in cell.counted if row.time_to_accuracy_s is not None]


def _all(cell: CellSummary) -> bool:
    """Whether every trial reached it; a median of those that did flatters a cell whose others did not."""
    return cell.reached == cell.evaluated


def _rank(cell: CellSummary) -> tuple[bool, float]:
    return not _all(cell), _median_s(cell)


def _share(cell: CellSummary) -> str:
    """How many of its trials reached it, where not all did."""
    return "" if _all(cell) else f" ({cell.reached}/{cell.evaluated})"


def _why(cell: CellSummary) -> str:
    if not cell.ok:
        return cell.status
    if cell.cell.input == "synthetic":
        return "nothing to learn"
    best = max((epoch.test_accuracy for row in cell.counted for epoch in row.record.epochs), default=None)
    return "no whole epoch" if best is None else f"not reached: {percent(best)} % at best"


def _title(reached: Sequence[CellSummary], name: str) -> str:
    """The first where its slowest of three trials or more was there before any other cell's fastest, else the range."""
    first, *others = reached
    target = f"{100 * (first.target_accuracy or 0.0):g} % test accuracy"
    if not others:
        return f"{target}: {name}, {significant(_median_s(first))} s"
    sure = min(cell.reached for cell in reached) >= FEWEST_PROCESSES and _all(first)
    if sure and max(_times_s(first)) < min(second for cell in others for second in _times_s(cell)):
        return f"{target} first: {name}, {significant(_median_s(first))} s"
    whole = [cell for cell in reached if _all(cell)] or reached
    ends = dict.fromkeys(significant(_median_s(cell)) for cell in (whole[0], whole[-1]))
    return f"{target} after {' to '.join(ends)} s{'' if _all(first) else ', in some trials only'}: no ranking"


def _draw(axis: "Axes", cells: Sequence[CellSummary]) -> None:
    colour = styles(1)[0].colour
    for place, cell in enumerate(cells):
        times = _times_s(cell)
        axis.plot([min(times), max(times)], [place, place], color="0.75", linewidth=1.2, zorder=1)
        if len(times) > 1:
            axis.plot(times, [place] * len(times), "o", color=colour, alpha=0.6, markersize=3.5, zorder=2)
        hollow = {} if _all(cell) else {"markerfacecolor": "white"}
        median = _median_s(cell)
        axis.plot([median], [place], "o", color=colour, **EDGE | hollow, zorder=3)
        axis.annotate(
            significant(median), (median, place), (0, 7), textcoords="offset points", ha="center", size="small"
        )
    every = [second for cell in cells for second in _times_s(cell)]
    axis.set_xlabel("seconds to the target")
    if max(every) > _WIDE * min(every):
        axis.set(xscale="log", xlabel="seconds to the target (logarithmic)")
        axis.xaxis.set_major_formatter("{x:g}")
    else:
        axis.set_xlim(0, 1.08 * math.ceil(max(every)))
