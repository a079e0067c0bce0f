"""Step time window by window, a panel for a trial of each cell: when it settled, and what disturbed it."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.measure.statistics import DISTURBED_SCORE, DISTURBED_SHARE, FEWEST
from bench.report.cells import CellSummary
from bench.report.names import absent, leading, left_out, short_names
from bench.report.pictures.canvas import EDGE, Picture, picture, styles
from bench.report.text import percent
from bench.report.trace import Trace, trace_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST, _COLUMNS = 6, 3
_NAME_COLUMNS = 38
_LEAST_ROOM = 0.1
"""Of the median, above and below it: a narrower axis would make noise look like a finding."""
_KINDS = ("window", "short window", "disturbed", "warm-up, left out")
_HOW = (
    "The first trial of each cell; step times do not start at 0. Disturbed: among steady windows a modified z-score "
    f"above {DISTURBED_SCORE:g} (Iglewicz & Hoaglin) and {100 * DISTURBED_SHARE:g} % above the median, or clocks of a "
    "GPU were taken away. Disturbed windows count, warm-up does not."
)


def plot_window_trace(stem: Path, every: Sequence[CellSummary]) -> Picture | None:
    """Draw the few cells with most disturbed windows; None where no cell that ended ok has eight windows."""
    timed = [cell for cell in every if cell.ok and cell.counted[0].steady_windows >= FEWEST]
    if not timed:
        return None
    every_trace = [(cell, trace_of(cell.counted[0])) for cell in timed]
    drawn = leading(every_trace, lambda one: one[1].disturbed_share, _MOST)
    names, shared = short_names([cell.cell for cell, _ in drawn])
    traces = [trace for _, trace in drawn]
    more = left_out(len(drawn), len(timed), f"the {_MOST} cells with most disturbed windows")
    notes = [f"All cells: {shared}." if shared else "", _HOW, more, absent(every, timed, _why)]
    title = _title(traces, names, len(timed))
    columns = min(len(drawn), _COLUMNS)
    rows = -(-len(drawn) // columns)
    size = (max(7.6, 1.0 + 3.5 * columns), 1.7 + 2.4 * rows)
    with picture(stem, title, notes, len(drawn), size, _KINDS, rows=rows) as (figure, axes):
        for place, (axis, name, trace) in enumerate(zip(axes, names, traces, strict=True)):
            _draw(axis, trace)
            axis.set_title(textwrap.fill(name, _NAME_COLUMNS), size="small")
            axis.set_ylabel("step time (ms)" if place % columns == 0 else "")
            axis.set_xlabel("seconds since the first window" if place + columns >= len(axes) else "")
        _legend(figure, axes)
    return Picture.of(stem, title, notes)


def _why(cell: CellSummary) -> str:
    return f"fewer than {FEWEST} windows" if cell.ok else cell.status


def _title(traces: Sequence[Trace], names: Sequence[str], of: int) -> str:
    most = max(range(len(traces)), key=lambda place: traces[place].disturbed_share)
    trace = traces[most]
    if not trace.disturbed.any():
        return "No steady window was disturbed"
    hit = f"{int(trace.disturbed.sum())} of {trace.steady} steady windows ({percent(trace.disturbed_share)} %)"
    return f"{names[most]}: {hit} disturbed" if of == 1 else f"Most disturbed: {names[most]}, {hit}"


def _draw(axis: "Axes", trace: Trace) -> None:
    plain, odd = styles(1)[0].colour, styles(4)[3].colour
    at_s, step_ms = trace.at_s, 1e3 * trace.step_s
    if trace.warmup:
        axis.axvspan(0, float(at_s[trace.warmup]), color="0.87", zorder=0, label=_KINDS[3])
    gaps = np.flatnonzero(~trace.follows[1:]) + 1
    axis.plot(np.insert(at_s, gaps, np.nan), np.insert(step_ms, gaps, np.nan), color=plain, linewidth=0.9)
    looks = [
        (~trace.short & ~trace.disturbed, {"marker": "o", "markersize": 2.4}),
        (trace.short & ~trace.disturbed, {"marker": "o", "markersize": 5.0, "markerfacecolor": "white"}),
        (trace.disturbed, EDGE | {"marker": "X", "color": odd}),
    ]
    for (chosen, look), kind in zip(looks, _KINDS, strict=False):
        if chosen.any():
            axis.plot(at_s[chosen], step_ms[chosen], **{"linestyle": "", "color": plain, "label": kind} | look)
    middle = float(np.median(step_ms[trace.warmup :]))
    low = min(float(step_ms.min()), (1 - _LEAST_ROOM) * middle)
    high = max(float(step_ms.max()), (1 + _LEAST_ROOM) * middle)
    room = 0.05 * (high - low)
    axis.set(ylim=(low - room, high + room), xlim=(0, 1.02 * float(at_s[-1])))
    axis.locator_params(nbins=4)


def _legend(figure: "Figure", axes: Sequence["Axes"]) -> None:
    """Of the kinds that are there."""
    found = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    kinds = [kind for kind in _KINDS if kind in found]
    figure.legend([found[kind] for kind in kinds], kinds, loc="outside right upper", frameon=False, labelspacing=0.7)
