"""Ratios of throughput around 1, a row for each cell or group of cells, with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.measure.statistics import Interval
from bench.report.pictures.canvas import EDGE, GREY, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT, ROW_HEIGHT = 1.9, 0.34
"""Inches of a picture without rows, and of each row."""
_WIDE = 5.0
"""From a factor like this on, ticks at 1, 2 and 5 of each decade are enough to read a ratio from."""
_SPREAD = 0.6
"""Of a row, what marks of many series share; of two it is half as much."""


@dataclass(frozen=True)
class Mark:
    """A ratio in a row and of a series, both counted from 0, the first row below.

    `sure` marks are filled, the others hollow.
    """

    row: int
    series: int
    value: float
    interval: Interval | None
    sure: bool


def draw_ratios(axis: "Axes", marks: Sequence[Mark], rows: Sequence[str], series: Sequence[Style], label: str) -> None:
    """Draw the marks around a line at 1; `rows` are the names of the rows, `label` says what the ratios are."""
    for mark in marks:
        _draw(axis, series[mark.series], mark, mark.row - offset(mark.series, len(series)))
    _dress(axis, rows, _range(marks))
    axis.set(xlabel=label)


def offset(number: int, of: int) -> float:
    """How far below the middle of its row a series is drawn, in rows."""
    return _SPREAD * ((number + 0.5) / of - 0.5)


def _draw(axis: "Axes", style: Style, mark: Mark, height: float) -> None:
    bounds = mark.interval or Interval(mark.value, mark.value)
    reach = [[max(mark.value - bounds.low, 0.0)], [max(bounds.high - mark.value, 0.0)]]
    hollow = {} if mark.sure else {"markerfacecolor": "white", "markeredgecolor": style.colour}
    axis.errorbar(
        [mark.value],
        [height],
        xerr=reach if mark.interval else None,
        color=style.colour,
        marker=style.marker,
        **EDGE | hollow,
        elinewidth=1.4,
        capsize=3,
    )


def _range(marks: Sequence[Mark]) -> tuple[float, float]:
    """From the lowest to the highest bound, 1 included, with some room."""
    bounds = [bound for mark in marks if mark.interval for bound in (mark.interval.low, mark.interval.high)]
    every = [1.0, *bounds, *(mark.value for mark in marks)]
    room = (max(every) / min(every)) ** 0.06 * 1.005
    return min(every) / room, max(every) * room


def _dress(axis: "Axes", rows: Sequence[str], ends: tuple[float, float]) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator  # noqa: PLC0415  # only drawing needs it

    axis.axvline(1, color=GREY, linestyle="--", linewidth=1.2)
    axis.set_xscale("log")
    axis.set_xlim(*ends)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if ends[1] / ends[0] > _WIDE else MaxNLocator(6))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_yticks(range(len(rows)), rows)
    axis.set_ylim(-0.7, len(rows) - 0.3)
    axis.grid(axis="y", visible=False)
