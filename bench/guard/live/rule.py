"""The rule of a live comparison: when to look, what the interval is, which verdict follows. Pure functions of numbers.

A process is the replicate: each pair of processes gives one value, log(B ÷ A), and windows within a process never count
as more than that. Looks are taken after some numbers of pairs and nowhere between; each may err as much as leaves all
of them together at 5 %. The interval is Student's over the pairs. Their variance is pooled with what is known of it
beforehand (Smyth 2004, "Linear models and empirical Bayes methods", equation 2), or taken to be no smaller: four values
that happen to agree prove nothing. Pairs that vary more than half of those would for which it is right (the median of
F) stand alone, so that what is known can make an interval too wide, and hardly ever too narrow. A verdict needs the
whole interval on one side of the margin, or all of it within.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

from scipy.special import fdtri, nctdtr, nctdtrinc, stdtrit  # scipy.stats would cost half a second of every start

from bench.guard.verdict import Verdict

LOOKS = (4, 6, 8, 10, 13, 16)
ALPHA = 0.05
ALPHA_OF_A_LOOK = 0.0115
"""The error of each look that leaves ALPHA over all of them, whatever pairs differ by: by simulation, which a test
repeats. Looks at the same values mostly err together: 0.0152 each would do if the deviation were known (Pocock 1977,
"Group sequential methods in the design and analysis of clinical trials"); that it is estimated takes the rest."""
MARGIN = 0.02
POWER = 0.95


@dataclass(frozen=True)
class Known:
    """What is known of a pair's standard deviation beforehand: worth `freedom` pairs; worth none, the least it is."""

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


def estimate_of(log_ratios: Sequence[float], known: Known, alpha: float = ALPHA_OF_A_LOOK) -> Estimate | None:
    """The estimate from one value for each pair of processes, or None under two."""
    count = len(log_ratios)
    if count < 2:
        return None
    own, spread = count - 1, variance(log_ratios)
    least = 0.0 if known.freedom else known.sd**2
    prior = known.freedom if known.freedom and _agrees(spread, own, known) else 0.0
    freedom = own + prior
    centre = fmean(log_ratios)
    sd = math.sqrt(max((own * spread + prior * known.sd**2) / freedom, least))
    reach = _quantile(freedom, alpha) * sd / math.sqrt(count)
    return Estimate(centre, centre - reach, centre + reach, sd, count)


def _agrees(spread: float, own: int, known: Known) -> bool:
    return spread <= float(fdtri(own, known.freedom, 0.5)) * known.sd**2


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
    return 1 - float(nctdtr(freedom, distance, _quantile(freedom, ALPHA_OF_A_LOOK)))


def smallest_effect(known: Known, margin: float, pairs: int, power: float = POWER) -> float:
    """The smallest slow-down, as a share, that is found with this power by a look after `pairs` pairs."""
    freedom = pairs - 1 + known.freedom
    distance = float(nctdtrinc(freedom, 1 - power, _quantile(freedom, ALPHA_OF_A_LOOK)))
    return -math.expm1(math.log1p(-margin) - distance * known.sd / math.sqrt(pairs))


def _quantile(freedom: float, alpha: float) -> float:
    return float(stdtrit(freedom, 1 - alpha / 2))
