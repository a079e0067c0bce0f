"""Ratios of throughput, a line for each cell, sorted, with their intervals around 1."""

from collections.abc import Sequence
from pathlib import Path

from bench.guard.stored.compare import PROCESSES, Comparison, Joined
from bench.guard.stored.comparison_table import finding
from bench.report.names import MOST_DRAWN, left_out, short_names
from bench.report.pictures.canvas import Picture, legend_beside, picture, styles
from bench.report.pictures.ratios import HEIGHT, ROW_HEIGHT, Mark, draw_ratios
from bench.report.text import shorten

_LONGEST_NAME = 60


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
    reference, letters = comparisons[0].reference.letter, [comparison.other.letter for comparison in comparisons]
    legend = [f"{letter} ÷ {reference}" for letter in letters] if len(comparisons) > 1 else []
    marks = [_mark(kept, number, one) for number, one in points if one.cell.cell_id in kept]
    size = (9.5, HEIGHT + ROW_HEIGHT * len(kept))
    title, notes = _title(comparisons), _notes(points, len(kept), len(ordered))
    with picture(stem, title, notes, 1, size, legend) as (figure, (axis,)):
        series = styles(len(comparisons))
        draw_ratios(axis, marks, names, series, f"images/s ÷ that of {reference} (higher is faster)")
        if legend:
            legend_beside(figure, legend, series)
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


def _mark(rows: Sequence[str], number: int, one: Joined) -> Mark:
    ratio = one.throughput
    row = rows.index(one.cell.cell_id)
    return Mark(row, number, ratio.value, ratio.interval, ratio.over.startswith(PROCESSES))
