"""Speed-up over replicas beside the ideal line and the forecast, strong and weak scaling side by side."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure.statistics import Interval
from bench.report.cells import CellSummary
from bench.report.forecast import Point, curves_of
from bench.report.names import leading, left_out, short_names
from bench.report.pictures.canvas import GREY, Picture, Style, marks_with_bars, picture, styles
from bench.report.pictures.labels import name_lines
from bench.report.scaling import KINDS, Kind, Scaled, scaling_of
from bench.report.text import significant
from bench.trial import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FIXED = {"strong": "global batch fixed", "weak": "batch per replica fixed"}
_FORECAST = "Dotted: forecast from one replica's step and the measured all-reduces, with its bounds."


@dataclass(frozen=True)
class _Line:
    """What was measured and forecast of replicas that are put together in one way from one baseline."""

    name: str
    style: Style
    measured: list[Scaled]
    forecast: list[Point]

    def of(self, kind: Kind) -> "_Line":
        """Its part of a panel, by rising replicas."""
        measured = sorted((one for one in self.measured if one.kind == kind), key=lambda one: one.replicas)
        return _Line(self.name, self.style, measured, [one for one in self.forecast if one.kind == kind])

    @property
    def end(self) -> tuple[float, float] | None:
        """Of its longer part, which is the forecast."""
        if self.forecast:
            return float(self.forecast[-1].replicas), self.forecast[-1].replicas * self.forecast[-1].efficiency.value
        return (float(self.measured[-1].replicas), self.measured[-1].speed_up) if self.measured else None


def plot_scaling(stem: Path, cells: Sequence[CellSummary]) -> Picture | None:
    """Draw the speed-up of every cell of several replicas over one; None if there is none to compare with.

    Where the run has what a forecast needs, it reaches to twice the most replicas that were measured.
    """
    scaled = scaling_of(cells)
    if not scaled:
        return None
    lines, shared, more = _lines(cells, scaled)
    kinds = [kind for kind in KINDS if any(one.kind == kind for one in scaled)]
    functional = "Some replicas share cores: functional, not scaling." * any(one.cell.shares_cores for one in scaled)
    told = _FORECAST * any(line.forecast for line in lines)
    notes = [f"All: {shared}." if shared else "", "Bars: 95 % intervals.", told, functional, more]
    title, size = _title(scaled), (3.2 + 4.2 * len(kinds), 4.8)
    names = [line.name for line in lines]
    with picture(stem, title, notes, len(kinds), size, names) as (figure, axes):
        for kind, axis in zip(kinds, axes, strict=True):
            _draw(axis, kind, [line.of(kind) for line in lines])
        ends = [line.of(kinds[-1]).end for line in lines]
        name_lines(figure, axes[-1], ends, names, [line.style for line in lines])
    return Picture.of(stem, title, notes)


def _title(scaled: Sequence[Scaled]) -> str:
    most = max(one.replicas for one in scaled)
    best = max((one for one in scaled if one.replicas == most), key=lambda one: one.speed_up)
    told = f"{most} replicas: {best.kind} speed-up up to {significant(best.speed_up)}"
    if best.cell.shares_cores:
        return f"{told}, on shared cores: functional, not scaling"
    return f"{told}, {significant(100 * best.efficiency)} % of ideal"


def _lines(cells: Sequence[CellSummary], scaled: Sequence[Scaled]) -> tuple[list[_Line], str, str]:
    """The lines, the settings all share, and a sentence on lines left out."""
    measured: dict[Cell, list[Scaled]] = {}
    for one in scaled:
        measured.setdefault(_way(one.cell.cell, one.baseline), []).append(one)
    most = max(one.replicas for one in scaled)
    counts = [2**power for power in range(1, most.bit_length() + 1)]
    forecast = {_way(curve.linked.cell, curve.baseline): curve.points for curve in curves_of(cells, counts)}
    kept = leading(list(measured), lambda way: max(one.speed_up for one in measured[way]))
    names, shared = short_names(kept)
    more = left_out(len(kept), len(measured), f"the {len(kept)} lines with the highest speed-up")
    lines = [
        _Line(name, style, measured[way], [] if _functional(measured[way]) else forecast.get(way, []))
        for name, style, way in zip(names, styles(len(kept)), kept, strict=True)
    ]
    return lines, shared, more


def _functional(measured: Sequence[Scaled]) -> bool:
    """Whether replicas share cores in all of them: a forecast of devices of their own says nothing of these."""
    return all(one.cell.shares_cores for one in measured)


def _way(cell: Cell, baseline: CellSummary) -> Cell:
    """Points with the same baseline and the same way of putting replicas together form one line."""
    return cell.model_copy(update={"replicas": 1, "workers": 1, "global_batch": baseline.cell.global_batch})


def _draw(axis: "Axes", kind: Kind, lines: Sequence[_Line]) -> None:
    measured = {one.replicas for line in lines for one in line.measured}
    counts = sorted({1, *measured, *(one.replicas for line in lines for one in line.forecast)})
    axis.plot(counts, counts, color=GREY, linestyle="--", linewidth=1.2)
    axis.annotate("ideal", (counts[-1], counts[-1]), (-8, -2), textcoords="offset points", ha="right", color=GREY)
    for line in lines:
        _draw_forecast(axis, line)
        _draw_measured(axis, line)
    for scale in (axis.set_xscale, axis.set_yscale):
        scale("log", base=2)
    for side in (axis.xaxis, axis.yaxis):
        side.set_ticks(counts, minor=False)
        side.set_ticks([], minor=True)
        side.set_major_formatter("{x:g}")
    room = 2 ** (0.12 * max(math.log2(counts[-1]), 1.0))
    axis.set_xlim(1 / room, counts[-1] * room)
    axis.set(xlabel="replicas", ylabel="speed-up over one replica")
    axis.set_title(f"{kind}: {_FIXED[kind]}", size="medium")


def _draw_measured(axis: "Axes", line: _Line) -> None:
    if not line.measured:
        return
    ys = [1.0, *(one.speed_up for one in line.measured)]
    bounds = [Interval(1.0, 1.0), *(one.interval or Interval(one.speed_up, one.speed_up) for one in line.measured)]
    marks_with_bars(axis, line.style, [1, *(one.replicas for one in line.measured)], ys, bounds)


def _draw_forecast(axis: "Axes", line: _Line) -> None:
    """Efficiency times replicas, which is what a speed-up is."""
    colour = line.style.colour
    speed_ups = [(one.replicas, one.replicas * one.efficiency.value) for one in line.forecast]
    if speed_ups:
        axis.plot(*zip((1, 1.0), *speed_ups, strict=True), ":", color=colour, linewidth=1.8)
    known = [(one.replicas, one.efficiency.low, one.efficiency.high) for one in line.forecast]
    bounds = [(n, n * low, n * high) for n, low, high in known if low is not None and high is not None]
    if bounds:
        places, lows, highs = zip(*bounds, strict=True)
        axis.fill_between(places, lows, highs, color=colour, alpha=0.15, linewidth=0)
