"""The rule of a live comparison: when to look, what the interval is, which verdict follows. Pure functions of numbers.

A process is the replicate: each pair of processes gives one value, log(B ÷ A), and windows within a process never count
as more than that. Looks are taken after 4, 6, 8 and 10 pairs and nowhere between; each may err with a quarter of 5 %
(Bonferroni), so that all of them together err in 5 % at most. The interval is Student's over the pairs. Their variance
is pooled with what is known of identical code on this very unit (Smyth 2004, "Linear models and empirical Bayes
methods", equation 2), and taken to be no smaller than that: four values that happen to agree prove nothing. Where the
pairs vary so much more that an F test at 5 % contradicts what is known, they stand alone. A verdict needs the whole
interval on one side of the margin, or all of it within.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

from scipy.special import fdtri, nctdtr, nctdtrinc, stdtrit  # scipy.stats would cost half a second of every start

from bench.guard.verdict import Verdict

LOOKS = (4, 6, 8, 10)
ALPHA = 0.05
MARGIN = 0.02
POWER = 0.95


@dataclass(frozen=True)
class Known:
    """What is known of a pair's standard deviation beforehand: the least it is taken for, worth `freedom` pairs."""

    sd: float
    freedom: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """The mean of log(B ÷ A) over `pairs`, its bounds, and the standard deviation of one pair that they rest on."""

    centre: float
    low: float
    high: float
    sd: float
    pairs: int

    @property
    def ratio(self) -> tuple[float, float, float]:
        """B ÷ A, and its bounds."""
        return math.exp(self.centre), math.exp(self.low), math.exp(self.high)


def alpha_of_a_look(looks: int = len(LOOKS)) -> float:
    """The error that one look may make."""
    return ALPHA / looks


def estimate_of(log_ratios: Sequence[float], known: Known, alpha: float | None = None) -> Estimate | None:
    """The estimate from one value for each pair of processes, or None under two."""
    count = len(log_ratios)
    if count < 2:
        return None
    own, spread = count - 1, variance(log_ratios)
    prior = 0.0 if _contradicted(spread, own, known) else known.freedom
    freedom = own + prior
    centre = fmean(log_ratios)
    sd = max(math.sqrt((own * spread + prior * known.sd**2) / freedom), known.sd)
    reach = _quantile(freedom, alpha_of_a_look() if alpha is None else alpha) * sd / math.sqrt(count)
    return Estimate(centre, centre - reach, centre + reach, sd, count)


def _contradicted(spread: float, own: int, known: Known) -> bool:
    return known.freedom > 0 and spread > float(fdtri(own, known.freedom, 1 - ALPHA)) * known.sd**2


def verdict_of(estimate: Estimate | None, margin: float, *, more_is_better: bool = True) -> Verdict:
    """What an interval says of B: beyond the margin on one side, within it on both, or neither.

    The margin is a share; on the scale of logarithms it is the same distance upwards and downwards, -log(1 - margin).
    """
    if estimate is None:
        return "inconclusive"
    reach = -math.log1p(-margin)
    low, high = (estimate.low, estimate.high) if more_is_better else (-estimate.high, -estimate.low)
    if high < -reach:
        return "regressed"
    if low > reach:
        return "improved"
    return "unchanged" if -reach < low and high < reach else "inconclusive"


def power_at(effect: float, known: Known, margin: float, pairs: int) -> float:
    """How likely a slow-down by the share `effect` is found in one look after `pairs` pairs that vary as is known.

    The mean's distance from the margin over its standard error is a noncentral t (Johnson, Kotz & Balakrishnan 1995,
    "Continuous Univariate Distributions" 2, chapter 31).
    """
    distance = (math.log1p(-margin) - math.log1p(-effect)) * math.sqrt(pairs) / known.sd
    freedom = pairs - 1 + known.freedom
    return 1 - float(nctdtr(freedom, distance, _quantile(freedom, alpha_of_a_look())))


def smallest_effect(known: Known, margin: float, pairs: int, power: float = POWER) -> float:
    """The smallest slow-down, as a share, that is found with this power by a look after `pairs` pairs."""
    freedom = pairs - 1 + known.freedom
    distance = float(nctdtrinc(freedom, 1 - power, _quantile(freedom, alpha_of_a_look())))
    return -math.expm1(math.log1p(-margin) - distance * known.sd / math.sqrt(pairs))


def _quantile(freedom: float, alpha: float) -> float:
    return float(stdtrit(freedom, 1 - alpha / 2))
