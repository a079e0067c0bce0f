"""A centre and an interval for figures taken in pairs or rounds, which a few disturbed ones do not move far."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri  # scipy.stats would cost half a second of every start

MOST_REMEMBERED = 500
"""Values, whose pairs of indices are kept: 2 MB. A pair of processes has more of them, and other counts each time."""


@dataclass(frozen=True)
class Centre:
    """The Hodges-Lehmann centre of some values, with an interval of stated confidence around it."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """The larger distance from the centre to a bound, in the unit of the values."""
        return max(self.high - self.value, self.value - self.low)


def fewest(alpha: float = 0.05) -> int:
    """How many values can reach an error of `alpha`: 6 for 5 %, as five have 2⁻⁵ on either side at best."""
    return 1 + math.ceil(-math.log2(alpha))


def centre_of(values: Sequence[float], alpha: float = 0.05) -> Centre | None:
    """The median of all Walsh averages, and the interval that the signed-rank test gives; None under `fewest` values.

    The bounds are the k-th Walsh average from either end, k by the normal approximation of the signed-rank
    distribution (Hollander, Wolfe & Chicken 2014, "Nonparametric Statistical Methods", 3.7), rounded down, which
    errs on the wide side. With 5 % of the values disturbed a t-interval of so few is no interval.
    """
    count = len(values)
    if count < fewest(alpha):
        return None
    walsh = _walsh(values)
    spread = math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
    within = count * (count + 1) / 4 + float(ndtri(alpha / 2)) * spread
    k = max(math.floor(within), 1)
    return Centre(_middle(walsh), float(walsh[k - 1]), float(walsh[-k]))


def centre(values: Sequence[float]) -> float:
    """The Hodges-Lehmann centre alone, of one value or more: as robust as a median nearly, and steadier."""
    return _middle(_walsh(values))


def _walsh(values: Sequence[float]) -> NDArray[np.float64]:
    """The averages of each value with itself and with each later one, ascending."""
    array = np.asarray(values, float)
    rows, columns = _pairs(len(array)) if len(array) <= MOST_REMEMBERED else np.triu_indices(len(array))
    averages: NDArray[np.float64] = np.sort((array[rows] + array[columns]) / 2)
    return averages


def _middle(ascending: NDArray[np.float64]) -> float:
    return float(ascending[(len(ascending) - 1) // 2] + ascending[len(ascending) // 2]) / 2


@lru_cache(maxsize=64)  # a report asks for the same few counts for every trial
def _pairs(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The indices of every value with itself and with each later one."""
    rows, columns = np.triu_indices(count)
    return rows, columns
