"""Ratios of throughput, a line for each cell, sorted, with their intervals around 1."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.guard.stored.compare import PROCESSES, Comparison, Joined
from bench.guard.stored.comparison_table import finding
from bench.measure.statistics import Interval
from bench.report.names import MOST_DRAWN, left_out, short_names
from bench.report.pictures.canvas import EDGE, GREY, Picture, Style, legend_beside, picture, styles
from bench.report.text import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST_NAME = 60
_WIDE = 3.0
"""From a factor like this on, ticks at 1, 2 and 5 of each decade are enough to read a ratio from."""


def plot_comparison(stem: Path, comparisons: Sequence[Comparison]) -> Picture | None:
    """Draw every cell that the reference and another run measured as a speed; None if there is none.

    Cells stand in the order of the mean of their ratios, the lowest below; of too many those furthest from it are kept.
    """
    points = [(number, one) for number, comparison in enumerate(comparisons) for one in _speeds(comparison)]
    if not points:
        return None
    ratios: dict[str, list[float]] = {}
    for _, one in points:
        ratios.setdefault(one.cell.cell_id, []).append(one.throughput.value)
    ordered = sorted(ratios, key=lambda cell_id: sum(ratios[cell_id]) / len(ratios[cell_id]))
    # both ends are what a reader looks for
    kept = ordered if len(ordered) <= MOST_DRAWN else ordered[: MOST_DRAWN // 2] + ordered[-MOST_DRAWN // 2 :]
    names = _names(points, kept)
    letters = [comparison.other.letter for comparison in comparisons]
    legend = [f"{letter} ÷ {comparisons[0].reference.letter}" for letter in letters] if len(comparisons) > 1 else []
    drawn = [(number, one) for number, one in points if one.cell.cell_id in kept]
    size = (9.5, 1.9 + 0.34 * len(kept))
    title, notes = _title(comparisons), _notes(points, len(kept), len(ordered))
    with picture(stem, title, notes, 1, size, legend) as (figure, axes):
        marks = styles(len(comparisons))
        for number, one in drawn:
            spread = 0.5 * (number / (len(comparisons) - 1) - 0.5) if len(comparisons) > 1 else 0.0
            _draw(axes[0], marks[number], one, kept.index(one.cell.cell_id) - spread)
        _dress(axes[0], names, _range([one for _, one in drawn]), comparisons[0].reference.letter)
        if legend:
            legend_beside(figure, legend, marks)
    return Picture.of(stem, title, notes)


def _speeds(comparison: Comparison) -> list[Joined]:
    return [one for one in comparison.joined if not one.functional]


def _title(comparisons: Sequence[Comparison]) -> str:
    return "; ".join(finding(comparison) for comparison in comparisons if _speeds(comparison))


def _names(points: Sequence[tuple[int, Joined]], kept: Sequence[str]) -> list[str]:
    cells = {one.cell.cell_id: one.cell for _, one in points}
    names, _ = short_names([cells[cell_id] for cell_id in kept])
    return [shorten(name, _LONGEST_NAME) for name in names]


def _notes(points: Sequence[tuple[int, Joined]], drawn: int, of: int) -> list[str]:
    ratios = [one.throughput for _, one in points]
    return [
        "Bars: 95 % intervals." if any(ratio.interval for ratio in ratios) else "No ratio has an interval.",
        "Hollow: of too few processes, which say nothing about others."
        * any(not ratio.over.startswith(PROCESSES) for ratio in ratios),
        left_out(drawn, of, f"the {drawn} cells with the lowest and highest ratios").replace("trials", "comparison"),
    ]


def _draw(axis: "Axes", style: Style, one: Joined, height: float) -> None:
    ratio = one.throughput
    bounds = ratio.interval or Interval(ratio.value, ratio.value)
    reach = [[max(ratio.value - bounds.low, 0.0)], [max(bounds.high - ratio.value, 0.0)]]
    between = ratio.over.startswith(PROCESSES)
    hollow = {} if between else {"markerfacecolor": "white", "markeredgecolor": style.colour}
    axis.errorbar(
        [ratio.value],
        [height],
        xerr=reach if ratio.interval else None,
        color=style.colour,
        marker=style.marker,
        **EDGE | hollow,
        elinewidth=1.4,
        capsize=3,
    )


def _range(drawn: Sequence[Joined]) -> tuple[float, float]:
    """From the lowest to the highest bound, 1 included, with some room."""
    bounds = [bound for one in drawn if (found := one.throughput.interval) for bound in (found.low, found.high)]
    every = [1.0, *bounds, *(one.throughput.value for one in drawn)]
    room = (max(every) / min(every)) ** 0.06 * 1.005
    return min(every) / room, max(every) * room


def _dress(axis: "Axes", names: Sequence[str], ends: tuple[float, float], letter: str) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator  # noqa: PLC0415  # only drawing needs it

    axis.axvline(1, color=GREY, linestyle="--", linewidth=1.2)
    axis.set_xscale("log")
    axis.set_xlim(*ends)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if ends[1] / ends[0] > _WIDE else MaxNLocator(6))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(-0.7, len(names) - 0.3)
    axis.grid(axis="y", visible=False)
    axis.set(xlabel=f"images/s ÷ that of {letter} (higher is faster)")
