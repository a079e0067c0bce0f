"""Rules that a comparison could decide by: the shipped one and its candidates, over many series of pairs at once.

Each turns the first n values of every series into a centre and how far its interval reaches. Only `shipped` is the
product's; the others are here to be held against it on recorded pairs before anything is changed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri, stdtrit

from bench.guard.live.rule import ALPHA, ALPHA_OF_A_LOOK, LOOKS

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """What is known of a pair's standard deviation beforehand, of every series or of each: worth `freedom` values."""

    sd: float | Array
    freedom: float


@dataclass(frozen=True)
class Candidate:
    """A rule: centre and reach of (series, n) values at each of `looks`."""

    name: str
    bounds: Callable[[Array, Known, float], tuple[Array, Array]]
    looks: tuple[int, ...] = LOOKS
    alpha_of_a_look: float = ALPHA_OF_A_LOOK


def shipped(values: Array, known: Known, alpha: float) -> tuple[Array, Array]:
    """Student's interval of the mean, its variance pooled with what is known unless doubted (bench.guard.live.rule)."""
    return _student(values, *_pooled(values, known, 0.5), alpha) if known.freedom else floored(values, known, alpha)


def former(values: Array, known: Known, alpha: float) -> tuple[Array, Array]:
    """As it shipped until 2026-11-27: what is known was the floor too, and was doubted by an F test at 5 %."""
    sd, freedom = _pooled(values, known, 1 - ALPHA)
    return _student(values, np.maximum(sd, known.sd), freedom, alpha)


def floored(values: Array, known: Known, alpha: float) -> tuple[Array, Array]:
    """What is known as a floor alone, worth no pairs."""
    return _student(values, np.maximum(values.std(axis=1, ddof=1), known.sd), values.shape[1] - 1, alpha)


def plain(values: Array, known: Known, alpha: float) -> tuple[Array, Array]:  # noqa: ARG001  # as all candidates are asked
    """The same with no floor: what four values that happen to agree then prove."""
    return _student(values, values.std(axis=1, ddof=1), values.shape[1] - 1, alpha)


def moderated(values: Array, known: Known, alpha: float) -> tuple[Array, Array]:
    """The variance shrunk to what was known before, with the freedom of both (Smyth 2004, eq. 2: "Linear models …")."""
    return _student(values, *_pooled(values, known, 1.0), alpha)


def robust(values: Array, known: Known, alpha: float) -> tuple[Array, Array]:
    """Hodges-Lehmann's centre with the shipped reach: one stray pair moves it little."""
    _, reach = shipped(values, known, alpha)
    rows, columns = np.triu_indices(values.shape[1])
    return np.median((values[:, rows] + values[:, columns]) / 2, axis=1), reach


def _pooled(values: Array, known: Known, believed: float) -> tuple[Array, Array]:
    """Deviation and freedom; a series that varies more than the share `believed` of those it is right for is alone."""
    own, spread = values.shape[1] - 1, values.var(axis=1, ddof=1)
    prior = np.square(np.asarray(known.sd, float))
    alone = spread > fdtri(own, known.freedom, believed) * prior
    freedom = own + np.where(alone, 0.0, known.freedom)
    return np.sqrt((own * spread + np.where(alone, 0.0, known.freedom * prior)) / freedom), freedom


def _student(values: Array, sd: Array, freedom: Array | float, alpha: float) -> tuple[Array, Array]:
    quantile = stdtrit(np.asarray(freedom, float), 1 - alpha / 2)
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


UP_TO_20 = Candidate("looks up to 20 pairs", shipped, (*LOOKS, 20), 0.01)
"""With the error of a look that leaves 5 % over seven of them, by the simulation that gave the shipped one's."""


def candidates() -> list[Candidate]:
    """The shipped rule first."""
    four = (4, 6, 8, 10)
    return [
        Candidate("shipped", shipped),
        Candidate("former: 4, 6, 8, 10 pairs, a floor, F at 5 %", former, four, ALPHA / len(four)),
        Candidate("what is known as a floor alone", floored),
        Candidate("pairs alone", plain),
        Candidate("what is known never doubted", moderated),
        Candidate("Pocock's looks, as if it were exact", shipped, alpha_of_a_look=pocock_alpha(LOOKS)),
        Candidate("Hodges-Lehmann centre", robust),
        UP_TO_20,
    ]
