"""How often one throughput is another, with an interval."""

import math
from collections.abc import Sequence
from statistics import fmean, variance

from scipy.special import stdtrit  # scipy.stats would cost half a second of every start

from bench.measure.statistics import CONFIDENCE, Interval


def ratio_interval(one: float, own: Interval, other: float, others: Interval) -> Interval:
    """The interval of `one` ÷ `other` from theirs, which were measured apart from each other.

    The square-and-add rule on the logarithms: the bounds of a difference of two figures lie as far off as the
    distances of their own bounds on that side together, added as squares (Zou & Donner 2008, "Construction of
    confidence limits about effect measures: a general approach", Statistics in Medicine 27:1693).
    """
    ratio = one / other
    down = math.hypot(math.log(one / own.low), math.log(others.high / other))
    up = math.hypot(math.log(own.high / one), math.log(other / others.low))
    return Interval(ratio * math.exp(-down), ratio * math.exp(up))


def ratio_of_samples(own: Sequence[float], others: Sequence[float]) -> Interval:
    """The interval of the ratio of two geometric means from independent values, two or more of each, all positive.

    That of `difference_of_samples` of their logarithms. No width where nothing varies.
    """
    found = difference_of_samples(*([math.log(value) for value in values] for values in (own, others)))
    return Interval(math.exp(found.low), math.exp(found.high))


def difference_of_samples(own: Sequence[float], others: Sequence[float]) -> Interval:
    """The interval of the difference of two means, own - others, from independent values, two or more of each.

    Welch's t-interval (Welch 1947, "The generalization of Student's problem when several different population
    variances are involved", Biometrika 34:28). No width where nothing varies.
    """
    centre = fmean(own) - fmean(others)
    parts = [variance(values) / len(values) for values in (own, others)]
    error2 = sum(parts)
    if error2 == 0:
        return Interval(centre, centre)
    counts = len(own), len(others)
    degrees = error2**2 / sum(part**2 / (count - 1) for part, count in zip(parts, counts, strict=True))
    reach = float(stdtrit(degrees, (1 + CONFIDENCE) / 2)) * math.sqrt(error2)
    return Interval(centre - reach, centre + reach)


def geometric_mean(ratios: Sequence[float]) -> float:
    """The mean of ratios for which twice and half cancel out; there is one at least, all are positive."""
    return math.exp(fmean(map(math.log, ratios)))


def geometric_mean_interval(ratios: Sequence[float], intervals: Sequence[Interval]) -> Interval:
    """The interval of the geometric mean of these very ratios, from theirs.

    The square-and-add rule of `ratio_interval`, for the mean of the logarithms. It takes their errors for independent,
    and says nothing of ratios that are not among these.
    """
    mean, pairs = geometric_mean(ratios), list(zip(ratios, intervals, strict=True))
    down = math.hypot(*(math.log(ratio / bounds.low) for ratio, bounds in pairs)) / len(pairs)
    up = math.hypot(*(math.log(bounds.high / ratio) for ratio, bounds in pairs)) / len(pairs)
    return Interval(mean * math.exp(-down), mean * math.exp(up))
