"""Machine against machine: ratios of images/s, ratios of memory, and accuracies, a row for each cell."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from bench.guard.stored.compare import PROCESSES, Comparison, Joined
from bench.guard.stored.comparison_table import finding
from bench.guard.stored.machines import machine_words
from bench.report.names import MOST_DRAWN, left_out, short_names
from bench.report.pictures.canvas import EDGE, Picture, Style, legend_beside, picture, styles
from bench.report.pictures.ratios import HEIGHT, Mark, draw_ratios, offset
from bench.report.text import shorten, significant
from bench.several.comparison.together import Together
from bench.trial import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_RUNS = 8
_LONGEST_NAME, _LONGEST_LEGEND = 50, 70
_SERIES_HEIGHT = 0.13
"""Inches of a row for each run in it."""


def plot_machines(stem: Path, found: Together) -> Picture | None:
    """Draw every cell that the reference and another run measured; None if there is none."""
    drawn = found.comparisons[: _MOST_RUNS - 1]
    order = _ordered(drawn)
    if not order:
        return None
    kept = order if len(order) <= MOST_DRAWN else [*order[: MOST_DRAWN // 2], *order[-MOST_DRAWN // 2 :]]
    names = [shorten(name, _LONGEST_NAME) for name in short_names(kept)[0]]
    first = found.first.letter
    series = styles(len(drawn) + 1)
    title, notes = _title(drawn), _notes(found, drawn, len(kept), len(order))
    legend = [_legend(one.other.letter, one.other.stored.run.environment) for one in drawn]
    legend = [_legend(first, found.first.stored.run.environment) + ", which is 1", *legend]
    size = (14.0, HEIGHT + len(kept) * (0.2 + _SERIES_HEIGHT * len(series)))
    with picture(stem, title, notes, 3, size, legend) as (figure, (speed, memory, accuracy)):
        for axis in (speed, memory, accuracy):
            _stripe(axis, len(kept))
        draw_ratios(speed, _speeds(drawn, kept), names, series, f"images/s ÷ that of {first}")
        draw_ratios(memory, _memories(drawn, kept), names, series, f"peak memory ÷ that of {first}")
        _draw_accuracies(accuracy, found, drawn, kept, series)
        for axis in (memory, accuracy):
            axis.set_yticklabels([])
        legend_beside(figure, legend, series)
    return Picture.of(stem, title, notes)


def _stripe(axis: "Axes", rows: int) -> None:
    """Every other row on a darker ground, to lead the eye."""
    for row in range(0, rows, 2):
        axis.axhspan(row - 0.5, row + 0.5, color="0.96", zorder=0)


def _ordered(drawn: Sequence[Comparison]) -> list[Cell]:
    """The cells that any run shares with the reference, the slowest beside it first."""
    ratios: dict[str, list[Joined]] = {}
    for one in drawn:
        for joined in one.joined:
            ratios.setdefault(joined.cell.cell_id, []).append(joined)
    groups = sorted(ratios.values(), key=lambda group: fmean(joined.throughput.value for joined in group))
    return [group[0].cell for group in groups]


def _title(drawn: Sequence[Comparison]) -> str:
    """The finding, or of several runs their geometric means."""
    if len(drawn) == 1:
        return finding(drawn[0])
    means = [f"{one.other.letter} {significant(one.mean.value)}" for one in drawn if one.mean]
    return f"images/s ÷ that of {drawn[0].reference.letter}, geometric means: {', '.join(means) or 'none'}"


def _legend(letter: str, environment: dict[str, object]) -> str:
    return shorten(f"{letter}  {machine_words(environment)}", _LONGEST_LEGEND)


def _notes(found: Together, drawn: Sequence[Comparison], kept: int, of: int) -> list[str]:
    ratios = [joined for one in drawn for joined in one.joined]
    hidden, alone = len(found.comparisons) - len(drawn), len(found.cells) - of
    apart = f"{alone} cell{'s' * (alone > 1)}" if alone else ""
    return [
        "Bars: 95 % intervals." if any(one.throughput.interval for one in ratios) else "No ratio has an interval.",
        "Hollow: of too few processes, which say nothing about others, or of replicas that share cores."
        * any(not _sure(one) for one in ratios),
        left_out(kept, of, f"the {kept} cells with the lowest and highest ratios").replace("trials", "comparison"),
        f"Not drawn: {apart} that no other run shares with {found.first.letter}; the tables have all." * bool(apart),
        f"Drawn are the first {_MOST_RUNS} runs; {hidden} more are in the tables." * (hidden > 0),
    ]


def _sure(one: Joined) -> bool:
    return one.throughput.over.startswith(PROCESSES) and not one.functional


def _speeds(drawn: Sequence[Comparison], kept: Sequence[Cell]) -> list[Mark]:
    return [
        Mark(row, number, joined.throughput.value, joined.throughput.interval, _sure(joined))
        for number, row, joined in _placed(drawn, kept)
    ]


def _memories(drawn: Sequence[Comparison], kept: Sequence[Cell]) -> list[Mark]:
    ratios = [
        (number, row, joined.device_memory if joined.cell.kind == "gpu" else joined.host_memory)
        for number, row, joined in _placed(drawn, kept)
    ]
    return [Mark(row, number, ratio, None, sure=True) for number, row, ratio in ratios if ratio]


def _placed(drawn: Sequence[Comparison], kept: Sequence[Cell]) -> list[tuple[int, int, Joined]]:
    """The number of the series, from 1 on, and the row of everything that is drawn."""
    rows = {cell.cell_id: row for row, cell in enumerate(kept)}
    return [
        (number, rows[joined.cell.cell_id], joined)
        for number, one in enumerate(drawn, 1)
        for joined in one.joined
        if joined.cell.cell_id in rows
    ]


def _draw_accuracies(
    axis: "Axes", found: Together, drawn: Sequence[Comparison], kept: Sequence[Cell], series: Sequence[Style]
) -> None:
    """Of every run, the reference included: these are no ratios."""
    letters = [found.first.letter, *(one.other.letter for one in drawn)]
    for row, cell in enumerate(kept):
        by_letter = dict(zip((run.letter for run in found.runs), found.found(cell), strict=True))
        for number, letter in enumerate(letters):
            known = by_letter[letter]
            if known and known.learned_accuracy is not None:
                at = row - offset(number, len(series))
                style = series[number]
                axis.plot([100 * known.learned_accuracy], [at], color=style.colour, marker=style.marker, **EDGE)
    axis.set_yticks(range(len(kept)))
    axis.set_ylim(-0.7, len(kept) - 0.3)
    axis.grid(axis="y", visible=False)
    axis.set(xlabel="test accuracy, %")
