"""Accuracy against throughput: what the speed of each cell cost."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report.canvas import EDGE, GREY, list_beside, picture, styles
from bench.report.cells import CellSummary
from bench.report.geometry import Box, place_labels
from bench.report.names import MOST_DRAWN, absent, leading, left_out, short_names
from bench.report.text import percent, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST_SPAN = 1.0
"""Percentage points: a narrower axis would make noise look like a finding."""
_MOST_LETTERS = 250
"""More than this in all labels together, and they would fill the picture."""
_NARROWEST = 0.1
"""The least width of the throughput axis, as a share of the highest throughput."""
_MARK_PX = 7.0
_LEADER_FROM_PX = 16.0


def plot_accuracy(path: Path, every: Sequence[CellSummary]) -> Path | None:
    """Draw test accuracy against throughput, a labelled point per cell; None if no cell has both."""
    measured = [cell for cell in every if cell.learned_accuracy is not None and cell.throughput_images_per_s]
    if not measured:
        return None
    cells = _most_telling(measured)
    names, shared = short_names([cell.cell for cell in cells])
    title = _title(cells, names)
    which = f"the {MOST_DRAWN // 2} fastest and the {MOST_DRAWN // 2} most accurate cells"
    more = left_out(len(cells), len(measured), which)
    notes = [f"All cells: {shared}." if shared else "", _bars(cells), more, absent(every, measured, _why)]
    labels, key = _labels(names)
    with picture(path, title, notes, 1, (9.6, 6.0), key) as (figure, (axis,)):
        _draw_points(axis, cells)
        if key:
            list_beside(figure, key)
        _label_points(figure, axis, cells, labels)
    return path


def _most_telling(cells: Sequence[CellSummary]) -> list[CellSummary]:
    """As many cells as one picture can tell apart: the fastest and the most accurate."""
    if len(cells) <= MOST_DRAWN:
        return list(cells)
    kept = {cell.cell for figure in (_x, _y) for cell in leading(cells, figure, MOST_DRAWN // 2)}
    return [cell for cell in cells if cell.cell in kept]


def _labels(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """What to write at each point, and the key to it: numbers where the names would hide the picture."""
    if sum(map(len, names)) <= _MOST_LETTERS:
        return list(names), []
    numbers = [str(number) for number in range(1, len(names) + 1)]
    return numbers, [f"{number}  {name}" for number, name in zip(numbers, names, strict=True)]


def _title(cells: Sequence[CellSummary], names: Sequence[str]) -> str:
    best = max(range(len(cells)), key=lambda index: _y(cells[index]))
    fast = max(range(len(cells)), key=lambda index: _x(cells[index]))
    accuracy, speed = f"{percent(cells[best].test_accuracy)} %", f"{significant(_x(cells[fast]))} images/s"
    if len(cells) == 1:
        return f"{names[0]}: {accuracy} at {speed}"
    if best == fast:
        return f"Most accurate and fastest: {names[best]}, {accuracy} at {speed}"
    return f"Most accurate: {names[best]}, {accuracy}; fastest: {names[fast]}, {speed}"


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


def _draw_points(axis: "Axes", cells: Sequence[CellSummary]) -> None:
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
            **EDGE,
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


def _label_points(figure: "Figure", axis: "Axes", cells: Sequence[CellSummary], names: Sequence[str]) -> None:
    """Write each name beside its point; a thin line leads there where the label had to move away."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  # only drawing needs it

    figure.draw_without_rendering()
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]  # matplotlib has no type for it
    figure.set_layout_engine("none")  # from here on pixels are where they are
    points = _pixels(axis, [(_x(cell), _y(cell)) for cell in cells])
    texts = [axis.text(0, 0, name, size="small", ha="left", va="bottom", transform=None) for name in names]
    extents = [text.get_window_extent(renderer) for text in texts]
    frame = axis.get_window_extent()
    area = Box(frame.x0, frame.y0, frame.x1, frame.y1)
    sizes = [(extent.width, extent.height) for extent in extents]
    boxes = place_labels(points, sizes, area, _marks(axis, cells))
    for text, point, box in zip(texts, points, boxes, strict=True):
        text.set_position((box.left, box.bottom))
        if box.distance(point) > _LEADER_FROM_PX:
            _lead(axis, point, box)


def _pixels(axis: "Axes", points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in axis.transData.transform(points)]


def _marks(axis: "Axes", cells: Sequence[CellSummary]) -> list[Box]:
    """What labels must not cover: the markers and their error bars, in pixels."""
    marks = []
    for cell in cells:
        spread, (low, high) = 100 * (cell.test_accuracy_sd or 0.0), _bounds(cell)
        (left, bottom), (right, top) = _pixels(axis, [(low, _y(cell) - spread), (high, _y(cell) + spread)])
        ((x, y),) = _pixels(axis, [(_x(cell), _y(cell))])
        marks += [Box(left, y - 2, right, y + 2), Box(x - 2, bottom, x + 2, top)]
        marks.append(Box(x - _MARK_PX, y - _MARK_PX, x + _MARK_PX, y + _MARK_PX))
    return marks


def _lead(axis: "Axes", point: tuple[float, float], box: Box) -> None:
    """A thin line from a point to the nearest place on its label."""
    ends = axis.transData.inverted().transform([point, box.nearest(point)])
    axis.plot(ends[:, 0], ends[:, 1], color=GREY, linewidth=0.7, zorder=1)
