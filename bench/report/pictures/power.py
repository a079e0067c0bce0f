"""Power and clocks of GPUs while the windows of a trial ran, from its telemetry file: a column for each cell."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.measure.energy import Samples
from bench.measure.telemetry import THROTTLES
from bench.report.cells import CellSummary
from bench.report.gpu import ReadTelemetry
from bench.report.names import absent, leading, left_out, short_names
from bench.report.pictures.canvas import Picture, picture, styles
from bench.report.rows import Row
from bench.report.text import significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 4
_NAME_COLUMNS = 34
_LEAST_SPAN = 0.1
"""Of the highest clock: a narrower axis would make its steps look like a finding."""
_POWER, _CLOCK = "power_w", "sm_clock_mhz"
_LABELS = {_POWER: "power (W)", _CLOCK: "SM clock (MHz,\naxis not from 0)"}
_TAKEN = sum(THROTTLES)
"""Every bit of the clocks event reasons that takes clocks away."""
_HOW = "The first trial of each cell, from its first window to its last, a line for each GPU."


@dataclass(frozen=True, eq=False)
class _Watched:
    """A trial's GPUs between its first timed window and its last, of which the first began at `start_s`."""

    gpus: list[Samples]
    start_s: float

    def tells(self, name: str) -> bool:
        """Whether any GPU told this figure."""
        return any(len(gpu.known(name)[0]) for gpu in self.gpus)


def plot_power(stem: Path, every: Sequence[CellSummary], telemetry: ReadTelemetry) -> Picture | None:
    """Draw the cells that took most power; None where no GPU told its power or clocks while windows ran."""
    told = [cell for cell in every if cell.ok and _row(cell)]
    cells = leading(told, lambda cell: cell.power_w or 0.0, _MOST)
    names, shared = short_names([cell.cell for cell in cells])
    watched = [_watched(row, telemetry) for cell in cells if (row := _row(cell))]
    figures = [name for name in _LABELS if any(one.tells(name) for one in watched)]
    if not figures:
        return None
    more = left_out(len(cells), len(told), f"the {_MOST} cells that took most power")
    shaded = "Shaded: clocks were taken away." * any(map(_taken, cells))
    notes = [f"All cells: {shared}." if shared else "", _HOW, shaded, more, absent(every, told, _why)]
    title, size = _title(cells, names), (max(7.6, 1.0 + 3.5 * len(cells)), 1.5 + 2.0 * len(figures))
    with picture(stem, title, notes, len(cells) * len(figures), size, rows=len(figures)) as (_, axes):
        for level, figure in enumerate(figures):
            panels = axes[level * len(cells) : (level + 1) * len(cells)]
            for axis, one in zip(panels, watched, strict=True):
                _draw(axis, one, figure)
            _limit(panels, watched, figure)
            panels[0].set_ylabel(_LABELS[figure])
        for axis, name in zip(axes, names, strict=False):
            axis.set_title(textwrap.fill(name, _NAME_COLUMNS), size="small")
        for axis in axes[-len(cells) :]:
            axis.set_xlabel("seconds since the first window")
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
    """Whether clocks were taken away in the trial that is drawn."""
    row = _row(cell)
    return row is not None and bool(row.gpu.throttled_window_numbers)


def _title(cells: Sequence[CellSummary], names: Sequence[str]) -> str:
    """The power, of several GPUs that of all together, and from which cells clocks were taken away."""
    alone = len(cells) == 1
    known = [(cell.power_w, name) for cell, name in zip(cells, names, strict=True) if cell.power_w is not None]
    power_w, name = max(known, default=(None, ""))
    power = f"{'' if alone else 'Most power: '}{name}{': ' if alone else ', '}{significant(power_w)} W" if known else ""
    slowed = sum(map(_taken, cells))
    clocks = f"clocks taken away{'' if alone else f' in {slowed} of {len(cells)} cells'}" if slowed else ""
    judged = any(row.gpu.throttled_windows is not None for row in map(_row, cells) if row)
    told = [power, clocks or "no clocks taken away" * judged]
    return "; ".join(filter(None, told)) or "Clocks of the GPUs"


def _draw(axis: "Axes", watched: _Watched, figure: str) -> None:
    """A line for each GPU; shaded where clocks were taken away from any."""
    for gpu, style in zip(watched.gpus, styles(len(watched.gpus)), strict=True):
        at_s, values = gpu.known(figure)
        axis.plot(at_s - watched.start_s, values, color=style.colour, linewidth=1.2)
        reasons_at_s, reasons = gpu.known("event_reasons")
        taken = (reasons.astype(np.int64) & _TAKEN) != 0
        if taken.any():
            taken[1:] |= taken[:-1].copy()  # up to the next reading, or a single one would have no width
            across = axis.get_xaxis_transform()
            axis.fill_between(
                reasons_at_s - watched.start_s, 0, 1, where=taken, transform=across, color="0.8", linewidth=0, zorder=0
            )


def _limit(panels: Sequence["Axes"], watched: Sequence[_Watched], figure: str) -> None:
    """The same limits for every cell: power from 0, clocks around what there was."""
    values = np.concatenate([gpu.known(figure)[1] for one in watched for gpu in one.gpus])
    low, high = (0.0, float(values.max())) if figure == _POWER else (float(values.min()), float(values.max()))
    room = max(_LEAST_SPAN * high - (high - low), 0.1 * (high - low)) / 2
    for place, axis in enumerate(panels):
        axis.set_ylim(0.0 if figure == _POWER else low - room, high + room)
        axis.yaxis.set_major_formatter("{x:,.0f}")
        axis.tick_params(labelleft=place == 0)
