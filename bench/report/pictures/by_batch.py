"""Throughput and memory over global batch: one line for the cells that differ in nothing but the batch."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure.statistics import Interval
from bench.report.cells import CellSummary
from bench.report.names import absent, leading, left_out, short_names, without_batch
from bench.report.pictures.canvas import Picture, Style, marks_with_bars, picture, styles
from bench.report.pictures.geometry import side_by_side, spaced
from bench.report.pictures.labels import Point, name_lines, room_for, write_labels
from bench.report.ranking import fastest
from bench.report.text import significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEWEST = 2
"""Cells: a mark alone compares nothing."""
_TICKS_PER_PANEL = 12
_MOST_LABELS = 10
"""Of more series, labels in the picture hide each other's marks."""
_SIDE_SHARE = 0.12
"""Room left and right of the outermost points, as a share of their distance."""


@dataclass(frozen=True)
class _Panel:
    """One pair of axes: what it shows of a cell, None where a cell has no such figure."""

    what: str
    unit: str
    value: Callable[[CellSummary], float | None]
    interval: Callable[[CellSummary], Interval | None] = lambda _: None

    def of(self, cell: CellSummary) -> float:
        """The figure of a cell that has one."""
        value = self.value(cell)
        assert value is not None, "only cells with this figure are drawn"
        return value


@dataclass(frozen=True)
class _Series:
    """The cells that differ in nothing but the batch, and how they are named and drawn."""

    name: str
    style: Style
    cells: list[CellSummary]


_THROUGHPUT = _Panel("throughput", "images/s", lambda cell: cell.throughput_images_per_s, lambda cell: cell.interval)
_HOST = _Panel("peak host memory", "MiB", lambda cell: _mib(cell.peak_host_memory_bytes))
_DEVICE = _Panel("peak device memory", "MiB", lambda cell: _mib(cell.peak_device_memory_bytes))


def _mib(size_bytes: int | None) -> float | None:
    return None if size_bytes is None else size_bytes / 2**20


def plot_throughput(stem: Path, cells: Sequence[CellSummary]) -> Picture | None:
    """Draw images/s with 95 % intervals; None under two cells that ended ok with one: a table says more of one."""
    measured = _measured(cells, _THROUGHPUT)
    if len(measured) < FEWEST:
        return None
    found = fastest(cells)
    if found is None:
        title = "Too few windows or trials to rank these cells"
    else:
        speed = f"{significant(_THROUGHPUT.of(found.cell))} images/s{found.doubt}"
        title = f"{found.claim.capitalize()}: {_where(found.cell, measured)}, {speed}"
    bare = sum(cell.interval is None for cell in measured)
    none = f"; {bare} of {len(measured)} cells have none" * bool(bare)
    notes = [f"Bars: 95 % intervals, unseen where narrower than the mark{none}."] if bare < len(measured) else []
    if any(cell.shares_cores for cell in measured):
        notes.append("Replicas (×) without cores of their own: functional, not scaling.")
    return _draw(stem, title, " ".join(notes), cells, [_THROUGHPUT])


def plot_memory(stem: Path, cells: Sequence[CellSummary]) -> Picture | None:
    """Draw peak MiB of the host, and of the device where any was measured; None where neither was in two cells."""
    panels = [panel for panel in (_HOST, _DEVICE) if _measured(cells, panel)]
    if not any(len(_measured(cells, panel)) >= FEWEST for panel in panels):
        return None
    # where there is a device, its memory is the one that runs out
    measured = _measured(cells, panels[-1])
    low, high = measured[0], measured[-1]
    title = f"{panels[-1].what}: {_where(high, measured)}, {significant(panels[-1].of(high))} MiB"
    if low is not high:
        title = f"Highest {title}"
        title += f"; lowest: {_where(low, measured)}, {significant(panels[-1].of(low))} MiB"
    return _draw(stem, title, "Host: the worker process; device: one accelerator." * (len(panels) > 1), cells, panels)


def _measured(cells: Sequence[CellSummary], panel: _Panel) -> list[CellSummary]:
    """The cells with this figure, the lowest first."""
    return sorted((cell for cell in cells if cell.ok and panel.value(cell) is not None), key=panel.of)


def _where(cell: CellSummary, cells: Sequence[CellSummary]) -> str:
    """A cell in a title, its batch only where that tells anything."""
    names, _ = short_names([without_batch(other.cell) for other in cells])
    name = dict(zip([other.cell.cell_id for other in cells], names, strict=True))[cell.cell.cell_id]
    one_batch = len({other.cell.global_batch for other in cells}) == 1
    return name if one_batch else f"{name} at global batch {cell.cell.global_batch:,}"


def _draw(stem: Path, title: str, note: str, cells: Sequence[CellSummary], panels: list[_Panel]) -> Picture:
    drawn = [cell for cell in cells if cell.ok and any(panel.value(cell) is not None for panel in panels)]
    series, shared, more = _series(drawn, panels[-1])
    beside = "Marks of one batch stand side by side." if len(series) > 1 else ""
    notes = [f"All cells: {shared}." if shared else "", beside, note, more, absent(cells, drawn, _why)]
    names = [line.name for line in series]
    height = 4.8 if len(panels) == 1 else 4.4
    in_place = len(panels) == 1 and 1 < len(names) <= _MOST_LABELS and room_for(names) and not _sweep(series)
    size = (3.2 + (6.4 if in_place else 4.6) * len(panels), height)
    with picture(stem, title, notes, len(panels), size, [] if in_place else names) as (figure, axes):
        for panel, axis in zip(panels, axes, strict=True):
            lines = _draw_panel(axis, panel, series)
            axis.set_title(panel.what if len(panels) > 1 else "", size="medium")
        if in_place:
            pieces = [piece for line in lines for piece in pairwise(line)]
            points = [line[-1] for line in lines]
            write_labels(figure, axes[0], points, names, [*pieces, *_bars(panels[0], series, lines)])
        else:
            ends = [line[-1] if _sweep(series) and line else None for line in lines]
            name_lines(figure, axes[-1], ends, names, [line.style for line in series])
    return Picture.of(stem, title, notes)


def _sweep(series: Sequence[_Series]) -> bool:
    """Whether every series goes on to the same largest batch, so that all lines end at the right."""
    return len({line.cells[-1].cell.global_batch for line in series}) == 1


def _why(cell: CellSummary) -> str:
    return "not measured" if cell.ok else cell.status


def _series(cells: Sequence[CellSummary], panel: _Panel) -> tuple[list[_Series], str, str]:
    """The series in the order of their first cell, the settings that all share, and a sentence on those left out."""
    names, shared = short_names([without_batch(cell.cell) for cell in cells])
    groups: dict[str, list[CellSummary]] = {}
    for name, cell in zip(names, cells, strict=True):
        groups.setdefault(name, []).append(cell)
    kept = leading(list(groups), lambda name: max(panel.value(cell) or 0.0 for cell in groups[name]))
    series = [
        _Series(name, style, sorted(groups[name], key=lambda cell: cell.cell.global_batch))
        for name, style in zip(kept, styles(len(kept)), strict=True)
    ]
    more = left_out(len(kept), len(groups), f"the {len(kept)} series with the highest {panel.what}")
    return series, shared, more


def _draw_panel(axis: "Axes", panel: _Panel, series: Sequence[_Series]) -> list[list[Point]]:
    """Draw the series that have the figure; returns where the marks of each are, of the others none."""
    kept = [(line, [cell for cell in line.cells if panel.value(cell) is not None]) for line in series]
    kept = [(line, cells) for line, cells in kept if cells]
    places = side_by_side([[cell.cell.global_batch for cell in cells] for _, cells in kept])
    for (line, cells), xs in zip(kept, places, strict=True):
        _draw_line(axis, panel, line.style, cells, xs)
    batches = sorted({cell.cell.global_batch for _, cells in kept for cell in cells})
    _batch_axis(axis, batches, [x for xs in places for x in xs])
    axis.set(xlabel="global batch (images, logarithmic)", ylabel=f"{panel.what} ({panel.unit})")
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.set_ylim(bottom=0, top=axis.get_ylim()[1] * 1.03)
    marks = {
        line.name: [(x, panel.of(cell)) for cell, x in zip(cells, xs, strict=True)]
        for (line, cells), xs in zip(kept, places, strict=True)
    }
    return [marks.get(line.name, []) for line in series]


def _bars(panel: _Panel, series: Sequence[_Series], lines: Sequence[Sequence[Point]]) -> list[tuple[Point, Point]]:
    """The intervals at the marks of each series, which labels must not cover."""
    marks = [
        (cell, x) for one, line in zip(series, lines, strict=True) for cell, (x, _) in zip(one.cells, line, strict=True)
    ]
    found = [(x, panel.interval(cell)) for cell, x in marks]
    return [((x, interval.low), (x, interval.high)) for x, interval in found if interval]


def _draw_line(axis: "Axes", panel: _Panel, style: Style, cells: Sequence[CellSummary], xs: Sequence[float]) -> None:
    ys = [panel.of(cell) for cell in cells]
    bounds = [panel.interval(cell) or Interval(y, y) for cell, y in zip(cells, ys, strict=True)]
    marks_with_bars(axis, style, xs, ys, bounds)


def _batch_axis(axis: "Axes", batches: Sequence[int], drawn: Sequence[float]) -> None:
    """A logarithmic axis with numbers at the measured batches only, none printed on another."""
    octaves = [math.log2(batch) for batch in batches]
    span = max(math.log2(max(drawn) / min(drawn)), 1.0)
    pad = 2 ** (_SIDE_SHARE * span)
    axis.set_xscale("log", base=2)
    axis.set_xlim(min(drawn) / pad, max(drawn) * pad)
    axis.set_xticks([batches[place] for place in spaced(octaves, span / _TICKS_PER_PANEL)], minor=False)
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.set_xticks([], minor=True)
    axis.grid(visible=False, axis="x")
