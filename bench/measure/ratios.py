"""How often one throughput is another, with an interval."""

import math

from bench.measure.statistics import Interval


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
