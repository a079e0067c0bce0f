"""Forecast efficiency over replicas as a line with its bounds, what was measured as marks."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report.forecast import Curve, Point, curve_names
from bench.report.names import MOST_DRAWN, left_out
from bench.report.pictures.canvas import EDGE, GREY, Picture, Style, picture, styles
from bench.report.pictures.labels import name_lines
from bench.report.scaling import KINDS
from bench.report.text import significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_forecast(stem: Path, curves: Sequence[Curve]) -> Picture | None:
    """Draw strong and weak scaling side by side; None without curves."""
    if not curves:
        return None
    drawn = curves[:MOST_DRAWN]
    names, shared = curve_names(drawn)
    batches = [curve.baseline.cell.global_batch for curve in drawn]
    names = [f"{name}, from batch {batch:,}" for name, batch in zip(names, batches, strict=True)]
    notes = [
        f"All: {shared}." if shared else "",
        "Lines: forecast, with bounds where they are known; marks: measured, with 95 % intervals.",
        left_out(len(drawn), len(curves), f"the first {len(drawn)} curves"),
    ]
    title = _title(drawn)
    with picture(stem, title, notes, len(KINDS), (11.6, 4.8), names) as (figure, axes):
        marks = styles(len(drawn))
        for kind, axis in zip(KINDS, axes, strict=True):
            for style, curve in zip(marks, drawn, strict=True):
                _draw(axis, style, [point for point in curve.points if point.kind == kind])
            _dress(axis, kind)
        name_lines(figure, axes[-1], [_end(curve) for curve in drawn], names, marks)
    return Picture.of(stem, title, notes)


def _title(curves: Sequence[Curve]) -> str:
    weak = [point for curve in curves for point in curve.points if point.kind == "weak"]
    far = max(weak, key=lambda point: (point.replicas, point.efficiency.value))
    errors = [abs(point.error) for curve in curves for point in curve.points if point.error is not None]
    known = f"; where measured, off by {significant(100 * max(errors))} % at most" if errors else ""
    return f"{far.replicas:,} replicas: {significant(100 * far.efficiency.value)} % weak efficiency forecast{known}"


def _end(curve: Curve) -> tuple[float, float]:
    """Of its line in the last panel."""
    last = [point for point in curve.points if point.kind == KINDS[-1]][-1]
    return float(last.replicas), 100 * last.efficiency.value


def _draw(axis: "Axes", style: Style, points: Sequence[Point]) -> None:
    xs = [point.replicas for point in points]
    axis.plot(xs, [100 * point.efficiency.value for point in points], color=style.colour, linewidth=1.4)
    bounded = [(point.replicas, point.efficiency.low, point.efficiency.high) for point in points]
    known = [(x, 100 * low, 100 * high) for x, low, high in bounded if low is not None and high is not None]
    if known:
        places, lows, highs = zip(*known, strict=True)
        axis.fill_between(places, lows, highs, color=style.colour, alpha=0.15, linewidth=0)
    for one in [point.measured for point in points if point.measured]:
        interval, value = one.efficiency_interval, one.efficiency
        reach = [[100 * max(value - interval.low, 0)], [100 * max(interval.high - value, 0)]] if interval else None
        axis.errorbar(one.replicas, 100 * value, yerr=reach, color=style.colour, marker=style.marker, **EDGE, capsize=3)


def _dress(axis: "Axes", kind: str) -> None:
    axis.axhline(100, color=GREY, linestyle="--", linewidth=1.2)
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_xticks([], minor=True)
    axis.set_ylim(0, max(105.0, axis.get_ylim()[1]))
    axis.set(xlabel="replicas", ylabel="efficiency (%)")
    axis.set_title(kind, size="medium")
