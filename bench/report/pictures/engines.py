"""Engines against each other: how many times as fast as `fit`, a row for each set of other settings."""

from collections.abc import Sequence
from pathlib import Path

from bench.report.cells import CellSummary
from bench.report.engines import EngineRatio, engines_of
from bench.report.names import MOST_DRAWN, left_out, short_names
from bench.report.pictures.canvas import Picture, legend_beside, picture, styles
from bench.report.pictures.ratios import HEIGHT, ROW_HEIGHT, Mark, draw_ratios
from bench.report.text import shorten, significant
from bench.trial import Cell

_LONGEST_NAME = 60


def plot_engines(stem: Path, cells: Sequence[CellSummary]) -> Picture | None:
    """Draw the ratio of throughputs of engines that ran with the same other settings; None without two of them."""
    ratios = engines_of(cells)
    if not ratios:
        return None
    others = list(dict.fromkeys(one.others for one in ratios))
    rows = _rows(ratios, others)
    names, shared = short_names(rows)
    pairs = list(dict.fromkeys(one.pair for one in ratios))
    marks = [_mark(rows, pairs, one) for one in ratios if one.others in rows]
    title = _title(ratios, pairs)
    more = left_out(
        len(rows), len(others), f"the {len(rows)} sets of other settings with the lowest and highest ratios"
    )
    notes = [f"All cells: {shared}." if shared else "", *_notes(ratios), more]
    label = f"images/s, {pairs[0] if len(pairs) == 1 else 'engine ÷ engine'} (logarithmic)"
    size, legend = (9.5, HEIGHT + 0.3 + ROW_HEIGHT * len(rows)), pairs if len(pairs) > 1 else []
    with picture(stem, title, notes, 1, size, legend) as (figure, (axis,)):
        series = styles(len(pairs))
        draw_ratios(axis, marks, [shorten(name, _LONGEST_NAME) for name in names], series, label)
        if legend:
            legend_beside(figure, pairs, series)
    return Picture.of(stem, title, notes)


def _rows(ratios: Sequence[EngineRatio], others: Sequence[Cell]) -> list[Cell]:
    """As many as one picture can tell apart, of both ends, the last first: rows count from below."""
    highest = {one.others: one.value for one in sorted(ratios, key=lambda one: one.value)}
    ordered = sorted(others, key=lambda cell: highest[cell])
    dropped = set(ordered[MOST_DRAWN // 2 : -MOST_DRAWN // 2]) if len(others) > MOST_DRAWN else set()
    return [cell for cell in others if cell not in dropped][::-1]


def _title(ratios: Sequence[EngineRatio], pairs: Sequence[str]) -> str:
    """How far the ratios of each pair reach: no ranking."""
    spans = []
    for pair in pairs:
        values = [one.value for one in ratios if one.pair == pair]
        ends = dict.fromkeys(significant(pick(values)) for pick in (min, max))
        spans.append(f"{pair.split()[0]} {' to '.join(ends)} times as fast as {pair.split()[-1]}")
    return "; ".join(spans)


def _notes(ratios: Sequence[EngineRatio]) -> list[str]:
    bars = "Bars: 95 % intervals." if any(one.interval for one in ratios) else "No ratio has an interval."
    hollow = "Hollow: not between processes, which says nothing of a rerun."
    kernels = dict.fromkeys(one.pair for one in ratios if one.other_kernels)
    told = f"With oneDNN's kernels in one engine only: {', '.join(kernels)}." if kernels else ""
    return [bars, hollow * any(not one.between_processes for one in ratios), told]


def _mark(rows: Sequence[Cell], pairs: Sequence[str], one: EngineRatio) -> Mark:
    return Mark(rows.index(one.others), pairs.index(one.pair), one.value, one.interval, one.between_processes)
