"""How step time spreads over steady windows: a row for each cell, a stroke for each window."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.measure.statistics import FEWEST
from bench.report.cells import CellSummary
from bench.report.names import MOST_DRAWN, absent, leading, left_out, short_names
from bench.report.pictures.canvas import Picture, picture, styles
from bench.report.pictures.rows import inches_of, lay_rows, row_names
from bench.report.text import significant
from bench.report.timed import pooled, whole_windows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_STROKES = 128
"""Of more windows, evenly spaced quantiles are drawn, which lie where the windows do."""
_LEAST_SPAN = 5.0
"""Percent: a narrower axis would make noise look like a finding."""
_HOW = (
    "A stroke is a window, the bar holds the middle half of them; right: the median. Windows are means over their "
    "steps, so single slow steps show less."
)


@dataclass(frozen=True, eq=False)
class _Spread:
    """The median seconds per step of a cell, and by how many percent each whole steady window differs, in order."""

    name: str
    median_s: float
    percent: NDArray[np.float64]

    @property
    def p90(self) -> float:
        """Percent above the median from which on the slowest tenth of the windows lies."""
        return float(np.quantile(self.percent, 0.9))


def plot_step_time(stem: Path, every: Sequence[CellSummary]) -> Picture | None:
    """Draw the windows of the cells that ended ok; None if none has eight, fewer than which show no spread."""
    timed = [cell for cell in every if cell.ok and _windows(cell) >= FEWEST]
    if not timed:
        return None
    cells = leading(timed, _unsteadiness)
    names, shared = short_names([cell.cell for cell in cells])
    spreads = [_spread(name, cell) for name, cell in zip(names, cells, strict=True)]
    more = left_out(len(cells), len(timed), f"the {MOST_DRAWN} cells that spread most")
    several = "Windows of a cell's trials are pooled." * any(len(cell.counted) > 1 for cell in cells)
    thinned = f"Of more than {_MOST_STROKES} windows as many quantiles." * any(map(_thinned, spreads))
    notes = [f"All cells: {shared}." if shared else "", _HOW, several, thinned, more, absent(every, timed, _why)]
    words = row_names(names)
    title = _title(spreads, len(timed))
    with picture(stem, title, notes, 1, (9.6, inches_of(words))) as (_, (axis,)):
        _draw(axis, spreads)
        lay_rows(axis, words)
    return Picture.of(stem, title, notes)


def _windows(cell: CellSummary) -> int:
    return sum(int((~row.steady.short).sum()) for row in cell.counted)


def _unsteadiness(cell: CellSummary) -> float:
    return (cell.step_s_p90 or 0.0) / (cell.step_s_p50 or 1.0)


def _why(cell: CellSummary) -> str:
    return f"fewer than {FEWEST} windows" if cell.ok else cell.status


def _spread(name: str, cell: CellSummary) -> _Spread:
    windows = whole_windows(pooled([row.steady for row in cell.counted]))
    step_s = np.sort(windows.window_s / windows.steps)
    median_s = float(np.median(step_s))
    return _Spread(name, median_s, 100 * (step_s / median_s - 1))


def _title(spreads: Sequence[_Spread], of: int) -> str:
    """Who spreads most of so many cells; who least only where all are drawn, for the others spread even less."""
    *others, most = sorted(spreads, key=lambda spread: spread.p90)
    if not others:
        return f"{most.name}: the slowest tenth of the windows takes {_words(most)} or more above the median"
    first = f"Step time spreads most in {most.name} (slowest tenth of windows: {_words(most)} or more)"
    return first if of > len(spreads) else f"{first}, least in {others[0].name} ({_words(others[0])})"


def _words(spread: _Spread) -> str:
    return f"{spread.p90:+.1f} %"


def _draw(axis: "Axes", spreads: Sequence[_Spread]) -> None:
    low = min(-_LEAST_SPAN / 2, *(float(one.percent[0]) for one in spreads))
    high = max(_LEAST_SPAN / 2, *(min(float(one.percent[-1]), _reach(one)) for one in spreads))
    room = 0.02 * (high - low)
    axis.set(xlim=(low - room, high + room), xlabel="step time against the cell's median (%)")
    axis.xaxis.set_major_formatter(lambda percent, _: f"{percent:+g}" if percent else "0")
    axis.axvline(0, color="0.35", linestyle="--", linewidth=1.2, zorder=1)
    for place, spread in enumerate(spreads):
        _draw_row(axis, spread, place, high)


def _draw_row(axis: "Axes", spread: _Spread, place: int, high: float) -> None:
    inside, beyond = (_strokes(spread.percent[spread.percent <= high]), spread.percent[spread.percent > high])
    # one line with gaps: a stroke of its own for every window would be thousands of them
    xs, ys = np.repeat(inside, 3), np.tile([place - 0.32, place + 0.32, np.nan], len(inside))
    axis.plot(xs, ys, color=styles(1)[0].colour, linewidth=0.7, alpha=0.8, zorder=2)
    half = np.quantile(spread.percent, [0.25, 0.75])
    axis.plot(half, [place, place], color="0.2", linewidth=4, zorder=3, solid_capstyle="butt")
    across = axis.get_yaxis_transform()
    axis.text(1.01, place, f"{significant(1e3 * spread.median_s)} ms", transform=across, va="center", size="small")
    if len(beyond):
        told = f"{len(beyond)} more, up to +{beyond[-1]:.0f} % ▸"
        axis.text(0.995, place, told, transform=across, ha="right", va="center", size="small")


def _reach(spread: _Spread) -> float:
    """How far a row asks the axis to reach: single windows far off would press all others together."""
    return 2 * float(np.quantile(spread.percent, 0.98))


def _thinned(spread: _Spread) -> bool:
    return len(spread.percent) > _MOST_STROKES


def _strokes(ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(ordered) <= _MOST_STROKES:
        return ordered
    return np.quantile(ordered, (np.arange(_MOST_STROKES) + 0.5) / _MOST_STROKES)
