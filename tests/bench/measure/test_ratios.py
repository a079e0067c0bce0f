"""The interval of a ratio."""

import numpy as np
import pytest

from bench.measure.ratios import ratio_interval
from bench.measure.statistics import Interval


def test_a_certain_side_leaves_the_others_interval():
    """Divided by what is known exactly, the bounds are divided too."""
    found = ratio_interval(200, Interval(190, 220), 100, Interval(100, 100))
    assert (found.low, found.high) == pytest.approx((1.9, 2.2))


def test_it_covers_the_true_ratio_as_often_as_it_says():
    """Of 4,000 pairs of noisy throughputs 95 % have an interval that holds the true ratio."""
    rng = np.random.default_rng(0)
    ones, others = rng.normal(190, 4, 4000), rng.normal(100, 3, 4000)
    held = 0
    for one, other in zip(ones, others, strict=True):
        found = ratio_interval(
            one, Interval(one - 1.96 * 4, one + 1.96 * 4), other, Interval(other - 1.96 * 3, other + 1.96 * 3)
        )
        held += found.low <= 1.9 <= found.high
    assert held / 4000 == pytest.approx(0.95, abs=0.01)
