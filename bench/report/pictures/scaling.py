"""Speed-up over replicas beside the ideal line, strong and weak scaling side by side."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure.statistics import Interval
from bench.report.cells import CellSummary
from bench.report.names import leading, left_out, short_names
from bench.report.pictures.canvas import GREY, Picture, Style, legend_beside, marks_with_bars, picture, styles
from bench.report.scaling import KINDS, Kind, Scaled, scaling_of
from bench.report.text import significant
from bench.trial import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Series = tuple[Style, list[Scaled]]
_FIXED = {"strong": "global batch fixed", "weak": "batch per replica fixed"}


def plot_scaling(stem: Path, cells: Sequence[CellSummary]) -> Picture | None:
    """Draw the speed-up of every cell of several replicas over one; None if there is none to compare with."""
    scaled = scaling_of(cells)
    if not scaled:
        return None
    groups, shared, more = _groups(scaled)
    series = dict(zip(groups, styles(len(groups)), strict=True))
    kinds = [kind for kind in KINDS if any(one.kind == kind for one in scaled)]
    functional = "Some replicas share cores: functional, not scaling." * any(one.cell.shares_cores for one in scaled)
    notes = [f"All: {shared}." if shared else "", "Bars: 95 % intervals.", functional, more]
    title, size = _title(scaled), (3.2 + 4.2 * len(kinds), 4.8)
    with picture(stem, title, notes, len(kinds), size, [*groups, "ideal"]) as (figure, axes):
        for kind, axis in zip(kinds, axes, strict=True):
            drawn = [(series[name], [one for one in group if one.kind == kind]) for name, group in groups.items()]
            _draw(axis, kind, [(style, group) for style, group in drawn if group])
        legend_beside(figure, list(groups), list(series.values()), [axes[0].lines[0]])
    return Picture.of(stem, title, notes)


def _title(scaled: Sequence[Scaled]) -> str:
    most = max(one.replicas for one in scaled)
    best = max((one for one in scaled if one.replicas == most), key=lambda one: one.speed_up)
    percent = significant(100 * best.efficiency)
    return f"{most} replicas: {best.kind} speed-up up to {significant(best.speed_up)}, {percent} % of ideal"


def _groups(scaled: Sequence[Scaled]) -> tuple[dict[str, list[Scaled]], str, str]:
    """The points of each line by its name, the settings all share, and a sentence on lines left out."""
    cells = [_line_of(one) for one in scaled]
    names, shared = short_names(cells)
    groups: dict[str, list[Scaled]] = {}
    for name, one in zip(names, scaled, strict=True):
        groups.setdefault(name, []).append(one)
    kept = leading(list(groups), lambda name: max(one.speed_up for one in groups[name]))
    more = left_out(len(kept), len(groups), f"the {len(kept)} lines with the highest speed-up")
    ordered = {name: sorted(groups[name], key=lambda one: one.replicas) for name in kept}
    return ordered, shared, more


def _line_of(scaled: Scaled) -> Cell:
    """Points with the same baseline and the same way of putting replicas together form one line."""
    batch = scaled.baseline.cell.global_batch
    return scaled.cell.cell.model_copy(update={"replicas": 1, "workers": 1, "global_batch": batch})


def _draw(axis: "Axes", kind: Kind, series: Sequence[Series]) -> None:
    counts = sorted({1, *(one.replicas for _, group in series for one in group)})
    axis.plot(counts, counts, color=GREY, linestyle="--", linewidth=1.2, label="ideal")
    for style, group in series:
        _draw_line(axis, style, group)
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


def _draw_line(axis: "Axes", style: Style, group: Sequence[Scaled]) -> None:
    ys = [1.0, *(one.speed_up for one in group)]
    bounds = [Interval(1.0, 1.0), *(one.interval or Interval(one.speed_up, one.speed_up) for one in group)]
    marks_with_bars(axis, style, [1, *(one.replicas for one in group)], ys, bounds)
