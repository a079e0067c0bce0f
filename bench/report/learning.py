"""What training cost and gave: accuracy against throughput, and loss and accuracy epoch by epoch."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report.canvas import GREY, Style, height_for, legend_beside, picture, styles
from bench.report.cells import CellSummary, summarise
from bench.report.geometry import Box, place_labels
from bench.report.names import listed, short_names
from bench.report.rows import Row
from bench.report.text import finite, percent, significant
from bench.store.record import EpochRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEAST_SPAN = 1.0
"""Percentage points: a narrower axis would make noise look like a finding."""
_LEADER_FROM_PX = 16.0


def plot_accuracy(path: Path, rows: Sequence[Row]) -> Path | None:
    """Draw test accuracy against throughput, a labelled point per cell; None if no cell has both."""
    every = summarise(rows)
    cells = [cell for cell in every if cell.learned_accuracy is not None and cell.throughput_images_per_s]
    if not cells:
        return None
    names, shared = short_names([cell.cell for cell in cells])
    best = max(range(len(cells)), key=lambda index: cells[index].learned_accuracy or 0)
    fast = max(range(len(cells)), key=lambda index: cells[index].throughput_images_per_s or 0)
    title = f"Most accurate: {names[best]}, {percent(cells[best].test_accuracy)} %; "
    title += f"fastest: {names[fast]}, {significant(cells[fast].throughput_images_per_s)} images/s"
    notes = [f"All cells: {shared}." if shared else "", _bars(cells), _absent(every, cells)]
    with picture(path, title, " ".join(filter(None, notes)), 1, (9.6, 6.0)) as (axis,):
        _draw_points(axis, cells)
        _label_points(axis, cells, names)
    return path


def _bars(cells: Sequence[CellSummary]) -> str:
    bars = ["95 % interval of throughput"] if any(cell.interval for cell in cells) else []
    bars += (
        ["standard deviation of accuracy over seeds"] if any(cell.test_accuracy_sd for cell in cells) else []
    )
    return f"Bars: {', '.join(bars)}." if bars else ""


def _absent(every: Sequence[CellSummary], drawn: Sequence[CellSummary]) -> str:
    """Which cells are not in the picture, and why."""
    names, _ = short_names([cell.cell for cell in every])
    shown = {cell.cell.cell_id for cell in drawn}
    absent = [
        f"{name} ({_why_absent(cell)})"
        for name, cell in zip(names, every, strict=True)
        if cell.cell.cell_id not in shown
    ]
    return f"Not drawn: {listed(absent)}." if absent else ""


def _why_absent(cell: CellSummary) -> str:
    if not cell.ok:
        return cell.status
    return "nothing to learn" if cell.cell.input == "synthetic" else "no accuracy"


def _x(cell: CellSummary) -> float:
    return cell.throughput_images_per_s or 0.0


def _y(cell: CellSummary) -> float:
    return 100 * (cell.test_accuracy or 0.0)


def _draw_points(axis: "Axes", cells: Sequence[CellSummary]) -> None:
    style = styles(1)[0]
    for cell in cells:
        low, high = (cell.interval.low, cell.interval.high) if cell.interval else (_x(cell), _x(cell))
        axis.errorbar(
            [_x(cell)],
            [_y(cell)],
            xerr=[[max(_x(cell) - low, 0.0)], [max(high - _x(cell), 0.0)]],
            yerr=100 * cell.test_accuracy_sd if cell.test_accuracy_sd else None,
            color=style.colour,
            marker="o",
            markersize=7,
            markeredgecolor="0.2",
            markeredgewidth=0.6,
            elinewidth=1.2,
            capsize=2,
        )
    axis.set(xlabel="throughput (images/s)", ylabel="test accuracy (%, axis does not start at 0)")
    axis.set_xlim(0, max(cell.interval.high if cell.interval else _x(cell) for cell in cells) * 1.12)
    axis.xaxis.set_major_formatter("{x:,.0f}")
    _accuracy_limits(axis.set_ylim, [_y(cell) for cell in cells])


def _accuracy_limits(set_limits: Callable[[float, float], object], values: Sequence[float]) -> None:
    """Limits in percent around the values, never narrower than a percentage point, never far over 100."""
    low, high = min(values), max(values)
    room = max(_LEAST_SPAN, 1.3 * (high - low)) - (high - low)
    top = min(high + room / 2, 100.0 if high < 99.9 else 100.05)
    set_limits(max(min(low - room / 2, top - _LEAST_SPAN), 0.0), top)


def _label_points(axis: "Axes", cells: Sequence[CellSummary], names: Sequence[str]) -> None:
    """Write each name beside its point; a thin line leads there where the label had to move away."""
    figure = axis.get_figure()
    assert figure is not None, "axes of a picture are in a figure"
    figure.draw_without_rendering()
    points = [tuple(point) for point in axis.transData.transform([(_x(cell), _y(cell)) for cell in cells])]
    texts = [axis.text(0, 0, name, size="small") for name in names]
    extents = [text.get_window_extent() for text in texts]
    frame = axis.get_window_extent()
    area = Box(frame.x0, frame.y0, frame.x1, frame.y1)
    boxes = place_labels(
        points, [(extent.width, extent.height) for extent in extents], area, _marks(axis, cells, points)
    )
    for text in texts:
        text.remove()
