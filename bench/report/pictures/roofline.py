"""The roofline: how fast each cell does the model's FLOPs, beneath what the machine was measured to allow."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.measure.roofline import threads_used
from bench.report.cells import CellSummary
from bench.report.names import absent, leading, left_out, short_names
from bench.report.pictures.canvas import EDGE, Picture, Style, key_handles, legend_beside, picture, styles
from bench.report.pictures.labels import Point, labels_and_key, write_labels
from bench.report.text import significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.lines import Line2D

_GIGA = 1e9
_ROOM = 2.5
"""How far the picture reaches beyond the outermost point and corner, as a factor."""
_Dashes = Literal["-", "--", "-.", ":"]
_DASHES: tuple[_Dashes, ...] = ("-", "--", "-.", ":")
_NOTE = (
    "Roofs: best measured matmul (flat) and memory bandwidth (slope). Intensity counts the least bytes that training "
    "layer by layer moves; scratch memory puts a cell further left, caches further right."
)


@dataclass(frozen=True)
class _Roof:
    """The ceilings that some cells share: FLOP/s and bytes/s, and how the line and its cells are drawn."""

    name: str
    compute: float
    memory: float
    style: Style
    dashes: _Dashes
    cells: list[CellSummary]

    @property
    def corner(self) -> float:
        """The intensity in FLOP/byte from which on computing is the limit."""
        return self.compute / self.memory

    def gigaflops_per_s(self, intensity: float) -> float:
        """Its height."""
        return min(self.compute, intensity * self.memory) / _GIGA


def plot_roofline(stem: Path, every: Sequence[CellSummary]) -> Picture | None:
    """Draw a labelled point per cell under its roof; None where no cell that ended ok has ceilings."""
    placed = [cell for cell in every if cell.ok and cell.place.roofline_share is not None]
    if not placed:
        return None
    cells = leading(placed, _share)
    more = left_out(len(cells), len(placed), f"the {len(cells)} cells nearest to their roof")
    names, shared = short_names([cell.cell for cell in cells])
    labels, key = labels_and_key(names)
    roofs = _roofs(cells)
    notes = [f"All cells: {shared}." if shared else "", _NOTE, more, absent(every, placed, _why)]
    title = _title(cells, names)
    legend = [*key, *(roof.name for roof in roofs)]
    with picture(stem, title, notes, 1, (9.6, 6.0), legend) as (figure, (axis,)):
        outlines = _draw_roofs(axis, roofs)
        legend_beside(figure, [], [], [*key_handles(key), *map(_handle, roofs)])
        write_labels(figure, axis, [_point(cell) for cell in cells], labels, outlines)
    return Picture.of(stem, title, notes)


def _title(cells: Sequence[CellSummary], names: Sequence[str]) -> str:
    best = max(range(len(cells)), key=lambda index: _share(cells[index]))
    place = cells[best].place
    limit = {"compute": "matmul", "memory": "memory bandwidth", None: ""}[place.roof]
    share = f"{significant(100 * _share(cells[best]))} % of what the measured {limit} allows"
    return f"{names[best]}: {share}" if len(cells) == 1 else f"Nearest to its roof: {names[best]}, {share}"


def _why(cell: CellSummary) -> str:
    return "no ceilings" if cell.ok else cell.status


def _share(cell: CellSummary) -> float:
    """Of what its roof allows."""
    return cell.place.roofline_share or 0.0


def _point(cell: CellSummary) -> Point:
    """FLOP/byte and GFLOP/s."""
    place = cell.place
    return place.operational_intensity_flops_per_byte or 0.0, (place.training_flops_per_s or 0.0) / _GIGA


def _roofs(cells: Sequence[CellSummary]) -> list[_Roof]:
    """A roof for each pair of ceilings, the highest first."""
    groups: dict[tuple[float, float], list[CellSummary]] = {}
    for cell in cells:
        work = cell.counted[0].work
        groups.setdefault((work.compute_flops_per_s or 0.0, work.memory_bytes_per_s or 0.0), []).append(cell)
    ordered = sorted(groups.items(), reverse=True)
    names = [_ceilings_of(group[0]) for _, group in ordered]
    return [
        _Roof(name, *ceilings, style, _DASHES[number % len(_DASHES)], group)
        for number, ((ceilings, group), name, style) in enumerate(zip(ordered, names, styles(len(names)), strict=True))
    ]


def _ceilings_of(cell: CellSummary) -> str:
    """What the ceilings belong to: a precision, and threads or GPUs."""
    effective, settings = cell.counted[0].record.effective, cell.cell
    if settings.kind == "gpu":
        return f"{settings.precision}, {settings.replicas} GPU{'s' * (settings.replicas > 1)}"
    threads = threads_used(effective) if effective else 1
    return f"{settings.precision}, {threads} thread{'s' * (threads > 1)}"


def _handle(roof: _Roof) -> "Line2D":
    from matplotlib.lines import Line2D  # noqa: PLC0415  # a second of import that only drawing needs

    style = roof.style
    return Line2D(
        [], [], color=style.colour, linestyle=roof.dashes, marker=style.marker, label=roof.name, linewidth=1.8, **EDGE
    )


def _draw_roofs(axis: "Axes", roofs: Sequence[_Roof]) -> list[tuple[Point, Point]]:
    """Draw roofs and the cells beneath them; returns the roofs in pieces."""
    xs = [_point(cell)[0] for roof in roofs for cell in roof.cells] + [roof.corner for roof in roofs]
    reach = (min(xs) / _ROOM, max(xs) * _ROOM)
    pieces: list[tuple[Point, Point]] = []
    for roof in roofs:
        bends = sorted([*reach, roof.corner])
        line = [(x, roof.gigaflops_per_s(x)) for x in bends]
        pieces += pairwise(line)
        axis.plot(*zip(*line, strict=True), color=roof.style.colour, linestyle=roof.dashes, linewidth=1.8, zorder=2)
        points, style = [_point(cell) for cell in roof.cells], roof.style
        axis.plot(*zip(*points, strict=True), color=style.colour, linestyle="", marker=style.marker, **EDGE, zorder=3)
    axis.set(xscale="log", yscale="log", xlim=reach)
    axis.set(xlabel="operational intensity (FLOP/byte, logarithmic)", ylabel="training GFLOP/s (logarithmic)")
    for scale in (axis.xaxis, axis.yaxis):
        _plain_ticks(scale)
    return pieces


def _plain_ticks(scale: "Axis") -> None:
    """Ticks at 1, 2 and 5 of each decade, as plain numbers."""
    from matplotlib.ticker import LogLocator, NullLocator  # noqa: PLC0415  # likewise

    scale.set_major_locator(LogLocator(subs=(1, 2, 5)))
    scale.set_minor_locator(NullLocator())
    scale.set_major_formatter("{x:,.10g}")
