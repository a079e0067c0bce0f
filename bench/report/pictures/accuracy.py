"""Accuracy against throughput: what the speed of each cell cost."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report.cells import CellSummary
from bench.report.names import MOST_DRAWN, absent, leading, left_out, short_names
from bench.report.pictures.by_batch import FEWEST
from bench.report.pictures.canvas import EDGE, Picture, list_beside, picture, styles
from bench.report.pictures.front import draw_front, front_note
from bench.report.pictures.labels import Point, labels_and_key, write_labels
from bench.report.ranking import accuracy_finding, beaten, fastest
from bench.report.text import significant
from bench.trial import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEAST_SPAN = 1.0
"""Percentage points: a narrower axis would make noise look like a finding."""
_NARROWEST = 0.1
"""The least width of the throughput axis, as a share of the highest throughput."""


def plot_accuracy(stem: Path, every: Sequence[CellSummary]) -> Picture | None:
    """Draw test accuracy against throughput, a labelled point per cell; None under two cells that have both."""
    measured = [cell for cell in every if cell.learned_accuracy is not None and cell.throughput_images_per_s]
    if len(measured) < FEWEST:
        return None
    cells = _most_telling(measured)
    names, shared = short_names([cell.cell for cell in cells])
    by_id = dict(zip([cell.cell.cell_id for cell in cells], names, strict=True))
    title = _title(measured, by_id, every)
    which = f"the {MOST_DRAWN // 2} fastest and the {MOST_DRAWN // 2} most accurate cells"
    more = left_out(len(cells), len(measured), which)
    behind = beaten(measured)
    notes = [f"All cells: {shared}." if shared else "", _bars(cells), front_note(measured, behind), more]
    notes.append(absent(every, measured, _why))
    labels, key = labels_and_key(names)
    with picture(stem, title, notes, 1, (9.6, 6.0), key) as (figure, (axis,)):
        _draw_points(axis, cells, behind)
        front = [(_x(cell), _y(cell)) for cell in measured if not cell.shares_cores and cell.cell not in behind]
        pieces = draw_front(axis, front) if behind else []
        if key:
            list_beside(figure, key)
        bars = [bar for cell in cells for bar in _drawn_bars(cell)]
        write_labels(figure, axis, [(_x(cell), _y(cell)) for cell in cells], labels, bars + pieces)
    return Picture.of(stem, title, notes)


def _most_telling(cells: Sequence[CellSummary]) -> list[CellSummary]:
    """As many cells as one picture can tell apart: the fastest and the most accurate."""
    if len(cells) <= MOST_DRAWN:
        return list(cells)
    kept = {cell.cell for figure in (_x, _y) for cell in leading(cells, figure, MOST_DRAWN // 2)}
    return [cell for cell in cells if cell.cell in kept]


def _title(measured: Sequence[CellSummary], names: Mapping[str, str], every: Sequence[CellSummary]) -> str:
    """What the accuracies show, and the fastest of every cell if it is drawn; `names` are those of the drawn ones."""
    finding = accuracy_finding(measured, names)
    title = finding[0].upper() + finding[1:]
    found = fastest(every)
    name = names.get(found.cell.cell.cell_id) if found else None
    if found is None or name is None:
        return title
    return f"{title}; {found.claim}: {name}, {significant(_x(found.cell))} images/s{found.doubt}"


def _bars(cells: Sequence[CellSummary]) -> str:
    bars = ["95 % interval of throughput"] if any(cell.interval for cell in cells) else []
    bars += ["standard deviation of accuracy over seeds"] if any(cell.test_accuracy_sd for cell in cells) else []
    return f"Bars: {', '.join(bars)}." if bars else ""


def _why(cell: CellSummary) -> str:
    if not cell.ok:
        return cell.status
    return "nothing to learn" if cell.cell.input == "synthetic" else "no accuracy"


def _x(cell: CellSummary) -> float:
    return cell.throughput_images_per_s or 0.0


def _y(cell: CellSummary) -> float:
    return 100 * (cell.test_accuracy or 0.0)


def _bounds(cell: CellSummary) -> tuple[float, float]:
    return (cell.interval.low, cell.interval.high) if cell.interval else (_x(cell), _x(cell))


def _draw_points(axis: "Axes", cells: Sequence[CellSummary], hollow: Collection[Cell]) -> None:
    style = styles(1)[0]
    for cell in cells:
        low, high = _bounds(cell)
        axis.errorbar(
            [_x(cell)],
            [_y(cell)],
            xerr=[[max(_x(cell) - low, 0.0)], [max(high - _x(cell), 0.0)]] if high > low else None,
            yerr=100 * cell.test_accuracy_sd if cell.test_accuracy_sd else None,
            color=style.colour,
            elinewidth=1.2,
            capsize=2,
            **EDGE | ({"markerfacecolor": "white"} if cell.cell in hollow else {}),
            marker="o",
        )
    left, right = _throughput_limits([bound for cell in cells for bound in _bounds(cell)])
    cut = ", axis does not start at 0"
    axis.set(xlim=(left, right), xlabel=f"throughput (images/s{cut * (left > 0)})", ylabel=f"test accuracy (%{cut})")
    axis.xaxis.set_major_formatter("{x:,.0f}")
    accuracy_limits(axis.set_ylim, [_y(cell) for cell in cells])


def _throughput_limits(values: Sequence[float]) -> tuple[float, float]:
    """Limits from 0, or around the values where they lie too near each other for that."""
    low, high = min(values), max(values)
    if low < high / 2:
        return 0.0, 1.1 * high
    room = max(_NARROWEST * high - (high - low), 0.3 * (high - low)) / 2
    return low - room, high + room


def accuracy_limits(set_limits: Callable[[float, float], object], values: Sequence[float]) -> None:
    """Limits in percent around the values: never narrower than a percentage point, never beyond 0 and 100."""
    low, high = min(values), max(values)
    room = max(_LEAST_SPAN - (high - low), 0.25 * (high - low), 0.4) / 2
    top = min(high + room, 100.0)
    set_limits(max(min(low - room, top - _LEAST_SPAN), 0.0), top)


def _drawn_bars(cell: CellSummary) -> list[tuple[Point, Point]]:
    """The error bars of a point, which labels must not cover."""
    x, y, (low, high), spread = _x(cell), _y(cell), _bounds(cell), 100 * (cell.test_accuracy_sd or 0.0)
    return [((low, y), (high, y)), ((x, y - spread), (x, y + spread))]
