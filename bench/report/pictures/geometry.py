"""Where marks and labels stand in a picture so that none hides another. Pure arithmetic, no drawing."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RINGS_PX = (10.0, 18.0, 30.0, 45.0, 65.0, 90.0, 120.0, 160.0, 210.0, 270.0)
_ANGLES = tuple(math.radians(degrees) for degrees in (0, 180, 90, 270, 30, 150, 330, 210, 60, 120, 300, 240))
_MARGIN_PX = 2.0
_WIDEST_STEP = 0.025
"""The largest distance of neighbours set side by side, as a share of the axis."""


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels, its origin at the lower left."""

    left: float
    bottom: float
    right: float
    top: float

    def within(self, area: "Box") -> bool:
        """Whether no part stands outside `area`."""
        inside = self.left >= area.left and self.right <= area.right
        return inside and self.bottom >= area.bottom and self.top <= area.top

    def nearest(self, point: tuple[float, float]) -> tuple[float, float]:
        """The place of the rectangle that is nearest to a point."""
        return min(max(point[0], self.left), self.right), min(max(point[1], self.bottom), self.top)

    def distance(self, point: tuple[float, float]) -> float:
        """Pixels from a point to the rectangle."""
        return math.dist(point, self.nearest(point))


def side_by_side(batches: Sequence[Sequence[int]]) -> list[list[float]]:
    """Where to draw each batch of each series on a logarithmic axis so that equal batches do not hide each other.

    The series with the most batches keeps its place, the others stand alternately right and left of it, all
    within two fifths of the way to the next batch.
    """
    places = sorted({math.log2(batch) for series in batches for batch in series})
    reach = max(places[-1] - places[0], 1.0) * _WIDEST_STEP if places else 0.0
    order = sorted(range(len(batches)), key=lambda series: -len(batches[series]))
    drawn = [[float(batch) for batch in series] for series in batches]
    for place in places:
        here = [series for series in order if any(math.log2(batch) == place for batch in batches[series])]
        room = min((abs(place - other) for other in places if other != place), default=math.inf)
        step = min(reach, 0.4 * room / max(len(here) // 2, 1))
        for turn, series in enumerate(here):
            index = [math.log2(batch) for batch in batches[series]].index(place)
            drawn[series][index] = 2 ** (place + step * _alternate(turn))
    return drawn


def _alternate(turn: int) -> int:
    """0, 1, -1, 2, -2, …."""
    return (turn + 1) // 2 * (1 if turn % 2 else -1)


def spaced(places: Sequence[float], least: float) -> list[int]:
    """Indices of rising places of which no two neighbours are nearer than `least`; the first always stays."""
    kept: list[int] = []
    for index, place in enumerate(places):
        if not kept or place - places[kept[-1]] >= least:
            kept.append(index)
    return kept


def apart(places: Sequence[float], heights: Sequence[float], low: float, high: float) -> list[float]:
    """The places moved as little as can be (least squares) so that what is so high there does not overlap.

    All stays between `low` and `high` if there is room; the order stays.
    """
    from scipy.optimize import isotonic_regression  # noqa: PLC0415  # seaborn has loaded it where anything is drawn

    if not places:
        return []
    order = np.argsort(places, kind="stable")
    tall = np.asarray(heights)[order]
    stacked = tall.cumsum() - tall / 2
    found = np.empty(len(places))
    shifts = isotonic_regression(np.asarray(places)[order] - stacked).x
    found[order] = stacked + shifts.clip(low, max(low, high - tall.sum()))
    return [float(place) for place in found]


def place_labels(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    area: Box,
    obstacles: Sequence[Box],
) -> list[Box]:
    """A box in pixels for the label of each point, near it, off the obstacles and off the other labels.

    `sizes` are widths and heights. Where there is no free place, the one that hides least is taken.
    """
    placed: dict[int, Box] = {}
    # the widest first: they have the fewest places to go
    for index in sorted(range(len(points)), key=lambda index: -sizes[index][0]):
        placed[index] = _free_place(points[index], sizes[index], area, [*obstacles, *placed.values()])
    return [placed[index] for index in range(len(points))]


def _free_place(point: tuple[float, float], size: tuple[float, float], area: Box, taken: Sequence[Box]) -> Box:
    """The first candidate that hides nothing, else the one that hides least."""
    candidates = list(_candidates(point, size))
    hidden = _overlaps(candidates, taken).sum(axis=1)
    hidden += [0.0 if box.within(area) else 1e6 for box in candidates]
    return candidates[int(hidden.argmin())]


def _overlaps(boxes: Sequence[Box], others: Sequence[Box]) -> NDArray[np.float64]:
    """The area in square pixels that each of the boxes, a row each, has in common with each of the others."""
    mine, theirs = (
        np.array([(box.left, box.bottom, box.right, box.top) for box in some]).reshape(-1, 4).T
        for some in (boxes, others)
    )
    sides: NDArray[np.float64] = np.minimum(mine[2:, :, None], theirs[2:, None]) - np.maximum(
        mine[:2, :, None], theirs[:2, None]
    )
    width, height = sides.clip(0.0)
    area: NDArray[np.float64] = width * height
    return area


def _candidates(point: tuple[float, float], size: tuple[float, float]) -> Iterator[Box]:
    width, height = size[0] + 2 * _MARGIN_PX, size[1] + 2 * _MARGIN_PX
    for ring in _RINGS_PX:
        for angle in _ANGLES:
            left = point[0] + math.cos(angle) * (ring + width / 2) - width / 2
            bottom = point[1] + math.sin(angle) * (ring + height / 2) - height / 2
            yield Box(left, bottom, left + width, bottom + height)
