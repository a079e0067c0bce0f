"""Labels beside the points and at the ends of the lines of a picture, off the marks and off each other."""

import textwrap
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bench.report.pictures.canvas import GREY, LEGEND_COLUMNS, Style, legend_beside, settle
from bench.report.pictures.geometry import Box, apart, place_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

Point = tuple[float, float]
_MOST_LETTERS = 250
"""More than this in all labels together, and they would fill the picture."""
_MARK_PX = 7.0
_LINE_PX = 2.0
_PIECE_PX = 10.0
_LEADER_FROM_PX = 16.0
_MOST_ENDS = 10
_TO_LABEL_POINTS = 26.0
"""From the right edge of the axes to the labels of lines: room for lines that lead there."""


def labels_and_key(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """What to write at each point, and the key to it: numbers where the names would hide the picture."""
    if room_for(names):
        return list(names), []
    numbers = [str(number) for number in range(1, len(names) + 1)]
    return numbers, [f"{number}  {name}" for number, name in zip(numbers, names, strict=True)]


def room_for(names: Sequence[str]) -> bool:
    """Whether so many letters leave something of the picture to be seen."""
    return sum(map(len, names)) <= _MOST_LETTERS


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
    settle(figure)
    places = _pixels(axis, points)
    texts = [axis.text(0, 0, name, size="small", ha="left", va="bottom") for name in names]
    sizes = _sizes(figure, texts)
    frame = axis.get_window_extent()
    area = Box(frame.x0, frame.y0, frame.x1, frame.y1)
    obstacles = [_around(point, point, _MARK_PX) for point in places]
    pieces = (piece for line in lines for piece in pairwise(_along(*_pixels(axis, line))))
    obstacles += [_around(one, other, _LINE_PX) for one, other in pieces]
    for text, point, box in zip(texts, places, place_labels(places, sizes, area, obstacles), strict=True):
        _move(figure, text, (box.left, box.bottom))
        if box.distance(point) > _LEADER_FROM_PX:
            _lead(axis, point, box.nearest(point))


def name_lines(
    figure: "Figure",
    axis: "Axes",
    ends: Sequence[Point | None],
    names: Sequence[str],
    marks: Sequence[Style],
) -> None:
    """Name each line right of the axes at the height of its end.

    In a legend where one has no end in these axes, or where many would have labels far from their ends.
    """
    if not 1 < len(ends) <= _MOST_ENDS or None in ends:
        legend_beside(figure, names, marks)
        return
    _label_ends(figure, axis, [end for end in ends if end], names, marks)


def _label_ends(
    figure: "Figure", axis: "Axes", ends: Sequence[Point], names: Sequence[str], marks: Sequence[Style]
) -> None:
    from matplotlib.transforms import offset_copy  # noqa: PLC0415  # a second of import that only drawing needs

    beside = offset_copy(axis.get_yaxis_transform(), figure, x=_TO_LABEL_POINTS, units="points")
    texts = [
        axis.text(1, y, textwrap.fill(name, LEGEND_COLUMNS), size="small", ha="left", va="center", transform=beside)
        for (_, y), name in zip(ends, names, strict=True)
    ]
    settle(figure)
    frame, places = axis.get_window_extent(), _pixels(axis, ends)
    left = frame.x1 + _TO_LABEL_POINTS / 72 * figure.dpi
    heights = [height for _, height in _sizes(figure, texts)]
    ys = apart([y for _, y in places], heights, frame.y0, frame.y1)
    for text, place, y, style in zip(texts, places, ys, marks, strict=True):
        _move(figure, text, (left, y))
        _lead(axis, place, (left - _MARK_PX / 2, y), style)


def _sizes(figure: "Figure", texts: Sequence["Text"]) -> list[tuple[float, float]]:
    """Widths and heights in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  # likewise

    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]  # matplotlib has no type for it
    extents = [text.get_window_extent(renderer) for text in texts]
    return [(extent.width, extent.height) for extent in extents]


def _move(figure: "Figure", text: "Text", place: Point) -> None:
    """To a place in pixels; kept in inches, for an SVG has pixels of its own."""
    text.set_transform(figure.dpi_scale_trans)
    text.set_position((place[0] / figure.dpi, place[1] / figure.dpi))


def _pixels(axis: "Axes", points: Sequence[Point]) -> list[Point]:
    return [(float(x), float(y)) for x, y in axis.transData.transform(points)]


def _along(one: Point, other: Point) -> list[Point]:
    """Places on a slope so near each other that the rectangles between them bar little beside it."""
    rise = min(abs(one[0] - other[0]), abs(one[1] - other[1]))
    count = 2 + int(rise / _PIECE_PX)
    return list(zip(*(np.linspace(one[axis], other[axis], count).tolist() for axis in (0, 1)), strict=True))


def _around(one: Point, other: Point, margin: float) -> Box:
    """The rectangle that holds two places, with a margin."""
    (left, right), (bottom, top) = sorted((one[0], other[0])), sorted((one[1], other[1]))
    return Box(left - margin, bottom - margin, right + margin, top + margin)


def _lead(axis: "Axes", point: Point, label: Point, style: Style | None = None) -> None:
    """A thin line from a place in pixels to a label, beyond the axes if the label stands there."""
    ends = axis.transData.inverted().transform([point, label])
    colour, line = (style.colour, ":") if style else (GREY, "-")
    axis.plot(
        ends[:, 0], ends[:, 1], line, color=colour, linewidth=0.8, zorder=1, clip_on=False, scalex=False, scaley=False
    )
