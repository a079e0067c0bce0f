"""Rules that a comparison could decide by: the shipped one and its candidates, over many series of pairs at once.

Each turns the first n values of every series into a centre and how far its interval reaches. Only `shipped` is the
product's; the others are here to be held against it on recorded pairs before anything is changed.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma, stdtrit

from bench.guard.live.rule import ALPHA, LOOKS

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """What is known of a pair's standard deviation beforehand: the floor that ships, a prior worth `freedom` values."""

    floor: float
    sd: float
    freedom: float


@dataclass(frozen=True)
class Candidate:
    """A rule: centre and reach of (series, n) values at look number `place` of `looks`."""

    name: str
    bounds: Callable[[Array, Known, float], tuple[Array, Array]]
    looks: tuple[int, ...] = LOOKS
    alpha: float | None = None
    """Of a look; None for an equal share of 5 %."""

    @property
    def alpha_of_a_look(self) -> float:
        """The error that one look may make."""
        return ALPHA / len(self.looks) if self.alpha is None else self.alpha


def shipped(values: Array, known: Known, alpha: float) -> tuple[Array, Array]:
    """Student's interval of the mean, its variance pooled with what is known and no less (bench.guard.live.rule)."""
    sd, freedom = _pooled(values, known)
    return _student(values, np.maximum(sd, known.floor), freedom, alpha)


def floored(values: Array, known: Known, alpha: float) -> tuple[Array, Array]:
    """What is known as a floor alone, worth no pairs."""
    return _student(values, np.maximum(values.std(axis=1, ddof=1), known.floor), values.shape[1] - 1, alpha)


def plain(values: Array, known: Known, alpha: float) -> tuple[Array, Array]:  # noqa: ARG001  # as all candidates are asked
    """The same with no floor: what four values that happen to agree then prove."""
    return _student(values, values.std(axis=1, ddof=1), values.shape[1] - 1, alpha)


def moderated(values: Array, known: Known, alpha: float) -> tuple[Array, Array]:
    """The variance shrunk to what was known before, with the freedom of both (Smyth 2004, eq. 2: "Linear models …")."""
    return _student(values, *_pooled(values, known), alpha)


def robust(values: Array, known: Known, alpha: float) -> tuple[Array, Array]:
    """Hodges-Lehmann's centre with the shipped reach: one stray pair moves it little."""
    _, reach = shipped(values, known, alpha)
    rows, columns = np.triu_indices(values.shape[1])
    return np.median((values[:, rows] + values[:, columns]) / 2, axis=1), reach


def _pooled(values: Array, known: Known) -> tuple[Array, float]:
    own = values.shape[1] - 1
    freedom = own + known.freedom
    return np.sqrt((own * values.var(axis=1, ddof=1) + known.freedom * known.sd**2) / freedom), freedom


def _student(values: Array, sd: Array, freedom: float, alpha: float) -> tuple[Array, Array]:
    quantile = float(stdtrit(freedom, 1 - alpha / 2))
    return values.mean(axis=1), quantile * sd / math.sqrt(values.shape[1])


@lru_cache
def pocock_alpha(looks: tuple[int, ...], series: int = 400_000) -> float:
    """The error that each look may make when all together make 5 %, as looks at the same values agree (Pocock 1977).

    By simulation of normal values whose spread is known.
    """
    sums = np.random.default_rng(7).normal(size=(series, looks[-1])).cumsum(axis=1)
    at = np.array(looks)
    largest = np.abs(sums[:, at - 1] / np.sqrt(at)).max(axis=1)
    return float(math.erfc(np.quantile(largest, 1 - ALPHA) / math.sqrt(2)))


def candidates() -> list[Candidate]:
    """The shipped rule first."""
    return [
        Candidate("shipped", shipped),
        Candidate("a floor alone", floored),
        Candidate("no floor", plain),
        Candidate("moderated without the floor", moderated),
        Candidate("moderated, Pocock's looks", moderated, alpha=pocock_alpha(LOOKS)),
        Candidate("Hodges-Lehmann centre", robust),
        Candidate("looks at 4, 6, 8, 10, 14, 20", shipped, looks=(*LOOKS, 14, 20)),
        Candidate("moderated, looks at 3, 4, 6, 8, 10", moderated, looks=(3, *LOOKS)),
    ]


def prior_of(groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Standard deviation and freedom of the prior that the variances of some groups show (Smyth 2004, section 6.2).

    Groups of equal spread have a prior worth any number of values: it is told as 100 at most.
    """
    known = [(len(group) - 1, float(np.var(group, ddof=1))) for group in groups if len(group) > 1]
    known = [(own, variance) for own, variance in known if variance > 0]
    pooled = math.sqrt(sum(own * variance for own, variance in known) / sum(own for own, _ in known))
    if len(known) < 3:
        return pooled, 0.0
    own = np.array([freedom for freedom, _ in known], float)
    logs = np.log([variance for _, variance in known]) - digamma(own / 2) + np.log(own / 2)
    beyond = float(np.var(logs, ddof=1) - polygamma(1, own / 2).mean())
    if beyond <= 0:
        return pooled, _MOST_FREEDOM
    freedom = min(2 * _inverse_trigamma(beyond), _MOST_FREEDOM)
    return math.exp((float(logs.mean()) + float(digamma(freedom / 2)) - math.log(freedom / 2)) / 2), freedom


_MOST_FREEDOM = 100.0


def _inverse_trigamma(value: float) -> float:
    """By bisection on a logarithmic scale: trigamma falls from infinity to 0."""
    low, high = 1e-3, 1e6
    for _ in range(100):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if polygamma(1, middle) > value else (low, middle)
    return low
