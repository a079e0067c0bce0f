"""Where a series of figures changed its level, by the change-point search of ruptures: advice, never a verdict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bench.measure.ratios import difference_of_samples
from bench.measure.statistics import CORRELATION_ERRORS, Interval

FEWEST = 8
"""Of fewer figures, too few stand on either side of a shift to know their spread."""
SHORTEST = 3
"""Figures that a level lasts: one or two that are odd are none."""
PENALTY = 11.0
"""Variances by which a further level must lower the sum of squares.

Of 8 to 200 independent normal figures without a shift, at most 5 % then have one: tests/bench/measure/
test_level_shifts.py draws them. Figures that follow their neighbours, as of a slow drift, have more."""
FALSE_ALARM = 0.05


@dataclass(frozen=True)
class LevelShift:
    """A step from one level to the next: `place` is that of its first figure.

    `before` and `after` are the means of both levels, `interval` the 95 % interval of their difference.
    """

    place: int
    before: float
    after: float
    interval: Interval

    @property
    def size(self) -> float:
        """The difference of both levels."""
        return self.after - self.before


def level_shifts(values: Sequence[float], floor: float) -> list[LevelShift]:
    """The shifts of a series in order; none where there are fewer than 8 figures.

    PELT (Killick et al. 2012, "Optimal detection of changepoints with a linear computational cost") finds the levels
    with the least sum of squares, where each further one costs `PENALTY` variances. The variance is half the mean
    square of successive differences (von Neumann 1941), which a shift hardly raises, and not less than `floor` squared.
    A shift whose interval (Welch's) holds 0 is dropped, the least certain first: that is what a single odd figure
    leaves. As the place was searched for, intervals are a little too narrow.
    """
    if len(values) < FEWEST:
        return []
    from ruptures import KernelCPD  # noqa: PLC0415  # a second of import that only long series need

    series = np.asarray(values, float)
    spread = max(math.sqrt(float(np.mean(np.diff(series) ** 2)) / 2), floor)
    scaled = ((series - series.mean()) / spread).reshape(-1, 1)
    # with a linear kernel the cost is the sum of squares; its C code is a thousand times as fast as the class Pelt
    ends = KernelCPD(kernel="linear", min_size=SHORTEST).fit(scaled).predict(pen=PENALTY)
    return _certain(values, [0, *map(int, ends)])


def drifts(values: Sequence[float], shifts: Sequence[LevelShift]) -> bool:
    """Whether figures follow their neighbours even around their levels, so that a shift may be part of a drift.

    The lag-1 correlation of what deviates from the levels lies above its one-sided bound at 5 %, 1.645 / √n (Bartlett
    1946), after 1 / n for each level is added, by which taking out the means lowers it.
    """
    count, bounds = len(values), [0, *(shift.place for shift in shifts), len(values)]
    parts = [np.asarray(values[start:end], float) for start, end in pairwise(bounds)]
    deviations = np.concatenate([part - part.mean() for part in parts])
    square = float(deviations @ deviations)
    if not square:
        return False
    correlation = float(deviations[:-1] @ deviations[1:]) / square
    return correlation + len(parts) / count > CORRELATION_ERRORS / math.sqrt(count)


def _certain(values: Sequence[float], bounds: list[int]) -> list[LevelShift]:
    """The shifts between levels with these bounds; the least certain is dropped until all are."""
    while True:
        levels = [values[start:end] for start, end in pairwise(bounds)]
        shifts = [
            _shift(place, before, after) for place, before, after in zip(bounds[1:], levels, levels[1:], strict=False)
        ]
        doubtful = [shift for shift in shifts if shift.interval.low <= 0 <= shift.interval.high]
        if not doubtful:
            return shifts
        bounds.remove(max(doubtful, key=_doubt).place)


def _shift(place: int, before: Sequence[float], after: Sequence[float]) -> LevelShift:
    return LevelShift(place, float(np.mean(before)), float(np.mean(after)), difference_of_samples(after, before))


def _doubt(shift: LevelShift) -> float:
    """How wide the interval is for what it is about."""
    return (shift.interval.high - shift.interval.low) / abs(shift.size) if shift.size else math.inf
