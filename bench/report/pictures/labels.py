"""Labels beside the points of a picture, off the marks and off each other; numbers with a key where names are long."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.report.pictures.canvas import GREY
from bench.report.pictures.geometry import Box, place_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = tuple[float, float]
_MOST_LETTERS = 250
"""More than this in all labels together, and they would fill the picture."""
_MARK_PX = 7.0
_LINE_PX = 2.0
_LEADER_FROM_PX = 16.0


def labels_and_key(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """What to write at each point, and the key to it: numbers where the names would hide the picture."""
    if sum(map(len, names)) <= _MOST_LETTERS:
        return list(names), []
    numbers = [str(number) for number in range(1, len(names) + 1)]
    return numbers, [f"{number}  {name}" for number, name in zip(numbers, names, strict=True)]


def write_labels(
    figure: "Figure",
    axis: "Axes",
    points: Sequence[Point],
    names: Sequence[str],
    lines: Sequence[tuple[Point, Point]] = (),
) -> None:
    """Write each name beside its point; a thin line leads there where the label had to move away.

    `lines` are drawn between two places of the axes, and labels keep off them as they do off the marks.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  # only drawing needs it

    figure.draw_without_rendering()
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]  # matplotlib has no type for it
    figure.set_layout_engine("none")  # from here on pixels are where they are
    places = _pixels(axis, points)
    texts = [axis.text(0, 0, name, size="small", ha="left", va="bottom", transform=None) for name in names]
    extents = [text.get_window_extent(renderer) for text in texts]
    frame = axis.get_window_extent()
    area = Box(frame.x0, frame.y0, frame.x1, frame.y1)
    sizes = [(extent.width, extent.height) for extent in extents]
    obstacles = [_around(point, point, _MARK_PX) for point in places]
    obstacles += [_around(one, other, _LINE_PX) for one, other in (_pixels(axis, line) for line in lines)]
    for text, point, box in zip(texts, places, place_labels(places, sizes, area, obstacles), strict=True):
        text.set_position((box.left, box.bottom))
        if box.distance(point) > _LEADER_FROM_PX:
            _lead(axis, point, box)


def _pixels(axis: "Axes", points: Sequence[Point]) -> list[Point]:
    return [(float(x), float(y)) for x, y in axis.transData.transform(points)]


def _around(one: Point, other: Point, margin: float) -> Box:
    """The rectangle that holds two places, with a margin."""
    (left, right), (bottom, top) = sorted((one[0], other[0])), sorted((one[1], other[1]))
    return Box(left - margin, bottom - margin, right + margin, top + margin)


def _lead(axis: "Axes", point: Point, box: Box) -> None:
    """A thin line from a point to the nearest place on its label."""
    ends = axis.transData.inverted().transform([point, box.nearest(point)])
    axis.plot(ends[:, 0], ends[:, 1], color=GREY, linewidth=0.7, zorder=1)
