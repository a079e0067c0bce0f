"""Power and clocks of GPUs while the windows of a trial ran, from its telemetry file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.measure.telemetry import THROTTLES, Samples
from bench.report.cells import CellSummary
from bench.report.gpu import ReadTelemetry
from bench.report.names import absent, leading, left_out, short_names
from bench.report.pictures.canvas import EDGE, Picture, Style, picture, styles
from bench.report.pictures.labels import Point, name_lines
from bench.report.rows import Row
from bench.report.text import significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 6
_LEAST_ROOM = 0.05
"""Of the highest clock: a narrower axis would make its steps look like a finding."""
_POWER, _CLOCK = "power_w", "sm_clock_mhz"
_TAKEN = sum(THROTTLES)
"""Every bit of the clocks event reasons that takes clocks away."""
_HOW = "The first trial of each cell, from its first window to its last, a line for each GPU."


@dataclass(frozen=True, eq=False)
class _Watched:
    """A trial's GPUs between its first timed window and its last, of which the first began at `start_s`."""

    gpus: list[Samples]
    start_s: float

    def line(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Seconds and values of a figure of every GPU behind one another, a gap between them."""
        known = [gpu.known(name) for gpu in self.gpus]
        parts = [part for at_s, values in known for part in ((at_s - self.start_s, values), ([np.nan], [np.nan]))]
        return np.concatenate([at_s for at_s, _ in parts]), np.concatenate([values for _, values in parts])

    def end(self, name: str) -> Point | None:
        """Where the line of the first GPU that told ends."""
        known = [(at_s, values) for at_s, values in (gpu.known(name) for gpu in self.gpus) if len(at_s)]
        return (float(known[0][0][-1]) - self.start_s, float(known[0][1][-1])) if known else None


def plot_power(stem: Path, every: Sequence[CellSummary], telemetry: ReadTelemetry) -> Picture | None:
    """Draw the cells that took most power; None where no GPU told its power or clocks while windows ran."""
    told = [cell for cell in every if cell.ok and _row(cell)]
    if not told:
        return None
    cells = leading(told, lambda cell: cell.power_w or 0.0, _MOST)
    names, shared = short_names([cell.cell for cell in cells])
    watched = [_watched(row, telemetry) for cell in cells if (row := _row(cell))]
    figures = [name for name in (_POWER, _CLOCK) if any(one.end(name) for one in watched)]
    if not figures:
        return None
    more = left_out(len(cells), len(told), f"the {_MOST} cells that took most power")
    crossed = "Crosses: clocks were taken away." * any(_taken(cell) for cell in cells)
    notes = [f"All cells: {shared}." if shared else "", _HOW, crossed, more, absent(every, told, _why)]
    title, marks = _title(cells, names), styles(len(cells))
    with picture(stem, title, notes, len(figures), (2.6 + 4.6 * len(figures), 4.6), names) as (figure, axes):
        for axis, name in zip(axes, figures, strict=True):
            for style, one in zip(marks, watched, strict=True):
                axis.plot(*one.line(name), color=style.colour, linewidth=1.2)
            _DRESS[name](axis)
        if _CLOCK in figures:
            _cross(axes[-1], marks, watched)
        name_lines(figure, axes[-1], [one.end(figures[-1]) for one in watched], names, marks)
    return Picture.of(stem, title, notes)


def _row(cell: CellSummary) -> Row | None:
    """The first trial whose GPUs told their power or clocks."""
    gpus = ((row, row.gpu) for row in cell.counted)
    return next((row for row, gpu in gpus if gpu.power_w is not None or gpu.sm_clock_mhz is not None), None)


def _why(cell: CellSummary) -> str:
    if not cell.ok:
        return cell.status
    return "no telemetry of every GPU" if cell.cell.kind == "gpu" else "no GPU"


def _watched(row: Row, telemetry: ReadTelemetry) -> _Watched:
    windows = row.record.windows
    timed = [place for place, phase in enumerate(windows.phase) if phase == "window"]
    start_s, end_s = windows.start_s[timed[0]], windows.start_s[timed[-1]] + windows.window_s[timed[-1]]
    found = telemetry(row.record)
    return _Watched([gpu.between(start_s, end_s) for gpu in found.gpus.values()] if found else [], start_s)


def _taken(cell: CellSummary) -> bool:
    return any(row.gpu.throttled_window_numbers for row in cell.counted)


def _title(cells: Sequence[CellSummary], names: Sequence[str]) -> str:
    """The power, of several GPUs that of all together, and from which cells clocks were taken away."""
    alone = len(cells) == 1
    known = [(cell.power_w, name) for cell, name in zip(cells, names, strict=True) if cell.power_w is not None]
    power_w, name = max(known, default=(None, ""))
    power = f"{'' if alone else 'Most power: '}{name}{': ' if alone else ', '}{significant(power_w)} W" if known else ""
    slowed = [name for cell, name in zip(cells, names, strict=True) if _taken(cell)]
    clocks = f"clocks taken away{'' if alone else f' in {len(slowed)} of {len(cells)} cells'}" if slowed else ""
    judged = any(row.gpu.throttled_windows is not None for cell in cells for row in cell.counted)
    told = [power, clocks or "no clocks taken away" * judged]
    return "; ".join(filter(None, told)) or "Clocks of the GPUs"


def _dress_power(axis: "Axes") -> None:
    axis.set(xlabel="seconds since the first window", ylabel="power (W)")
    axis.set_ylim(0, 1.05 * axis.get_ylim()[1])


def _dress_clock(axis: "Axes") -> None:
    low, high = axis.get_ylim()
    room = max(_LEAST_ROOM * high - (high - low), 0.0) / 2
    axis.set(xlabel="seconds since the first window", ylabel="SM clock (MHz, axis does not start at 0)")
    axis.set_ylim(low - room, high + room)
    axis.yaxis.set_major_formatter("{x:,.0f}")


_DRESS = {_POWER: _dress_power, _CLOCK: _dress_clock}


def _cross(axis: "Axes", marks: Sequence[Style], watched: Sequence[_Watched]) -> None:
    """Mark the samples at which clocks were taken away."""
    for style, one in zip(marks, watched, strict=True):
        for gpu in one.gpus:
            at_s, reasons = gpu.known("event_reasons")
            hit = at_s[(reasons.astype(np.int64) & _TAKEN) != 0]
            clock_at_s, clock = gpu.known(_CLOCK)
            if len(hit) and len(clock):
                shown = EDGE | {"markersize": 5}
                axis.plot(hit - one.start_s, np.interp(hit, clock_at_s, clock), "X", color=style.colour, **shown)
