"""The interval of a ratio."""

import math

import numpy as np
import pytest

from bench.measure.ratios import geometric_mean, geometric_mean_interval, ratio_interval, ratio_of_samples
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


def test_ratio_of_samples_is_welchs_interval():
    """Logarithms 0 ± 0.1 against -1 ± 0.2 of three each: error √(0.01/3 + 0.04/3), 2.94 degrees, t = 3.219."""
    own = [math.exp(value) for value in (-0.1, 0.0, 0.1)]
    others = [math.exp(-1 + value) for value in (-0.2, 0.0, 0.2)]
    found = ratio_of_samples(own, others)
    error = math.sqrt(0.05 / 3)
    degrees = (0.05 / 3) ** 2 / ((0.01 / 3) ** 2 / 2 + (0.04 / 3) ** 2 / 2)
    assert degrees == pytest.approx(50 / 17)
    assert math.log(found.high) == pytest.approx(1 + 3.219 * error, abs=2e-4)
    assert math.log(found.low) == pytest.approx(1 - 3.219 * error, abs=2e-4)


def test_samples_without_spread_have_an_interval_without_width():
    """Nothing that varies is no division by zero."""
    assert ratio_of_samples([200.0, 200.0], [100.0, 100.0]) == Interval(pytest.approx(2), pytest.approx(2))


def test_ratio_of_samples_covers_as_often_as_it_says():
    """Of 4,000 sets of three processes a side, one side noisier, at least 94 % of the intervals hold the ratio."""
    rng = np.random.default_rng(1)
    ones, others = np.exp(rng.normal(0.5, 0.05, (4000, 3))), np.exp(rng.normal(0, 0.02, (4000, 3)))
    pairs = [ratio_of_samples(one, other) for one, other in zip(ones, others, strict=True)]
    assert np.mean([found.low <= math.exp(0.5) <= found.high for found in pairs]) > 0.94


def test_geometric_mean_lets_twice_and_half_cancel():
    """The mean of 2 and a half is 1, of 8 and 2 it is 4."""
    assert geometric_mean([2, 0.5]) == pytest.approx(1)
    assert geometric_mean([8, 2]) == pytest.approx(4)


def test_interval_of_the_mean_is_square_and_add():
    """Two ratios known within a factor e^0.3 and e^0.4: their mean is known within e^(√(0.09 + 0.16) / 2) = e^0.25."""
    intervals = [Interval(2 * math.exp(-0.3), 2 * math.exp(0.3)), Interval(8 * math.exp(-0.4), 8 * math.exp(0.4))]
    found = geometric_mean_interval([2, 8], intervals)
    assert (found.low, found.high) == pytest.approx((4 * math.exp(-0.25), 4 * math.exp(0.25)))
