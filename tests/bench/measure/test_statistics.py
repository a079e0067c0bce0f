"""The arithmetic of windows against values worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.statistics import (
    Interval,
    steady_from,
    step_time_quantiles_s,
    throughput_images_per_s,
    throughput_interval,
)

T_7_975 = 2.364624
T_7_99375 = 3.335295
"""Student's t with 7 degrees of freedom, from a table: two-sided 5 % and 1.25 %."""


def test_throughput_is_total_over_total() -> None:
    """Two windows of 10 steps in 1 s and 4 s are 400 images/s at batch 100; the mean of their rates would be 625."""
    assert throughput_images_per_s([10, 10], [1.0, 4.0], 100) == 400.0


def test_throughput_weighs_short_windows_by_their_steps() -> None:
    """A short window counts for what it trained: 30 + 10 steps in 3 + 2 s are 8 steps a second."""
    assert throughput_images_per_s([30, 10], [3.0, 2.0], 50) == 400.0


def test_no_throughput_without_windows() -> None:
    """What was not measured is None, never zero."""
    assert throughput_images_per_s([], [], 100) is None


@pytest.mark.parametrize(("alpha", "t"), [(0.05, T_7_975), (0.0125, T_7_99375)])
def test_interval_by_hand(alpha: float, t: float) -> None:
    """Four windows of 1 s and four of 3 s, 10 steps each: 0.2 s a step, standard error sqrt(8 / (8 x 7)) / 10 s."""
    interval = throughput_interval([10] * 8, [1.0, 3.0] * 4, 100, alpha)
    reach = t * math.sqrt(8 / 56) / 10
    assert interval is not None
    assert interval.low == pytest.approx(100 / (0.2 + reach), rel=1e-5)
    assert interval.high == pytest.approx(100 / (0.2 - reach), rel=1e-5)


def test_interval_is_of_batch_means() -> None:
    """Sixteen windows are eight batches of two neighbours: noise that cancels within each leaves no width."""
    alternating = throughput_interval([10] * 16, [1.0, 3.0] * 8, 100)
    in_pairs = throughput_interval([10] * 16, [1.0, 1.0, 3.0, 3.0] * 4, 100)
    assert alternating == Interval(500.0, 500.0)
    assert in_pairs is not None
    assert in_pairs.high - in_pairs.low > 100


def test_no_interval_under_eight_windows() -> None:
    """Seven windows are too few to say how sure their mean is."""
    assert throughput_interval([10] * 7, [1.0] * 7, 100) is None
    assert throughput_interval([10] * 8, [1.0] * 8, 100) is not None


def test_no_interval_that_reaches_zero_speed() -> None:
    """One batch a thousand times slower than seven others leaves no bound on the speed."""
    assert throughput_interval([10] * 8, [1.0] * 7 + [1000.0], 100) is None


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0.9, 1.1)), min_size=8, max_size=80))
def test_interval_holds_the_throughput(windows: list[tuple[int, float]]) -> None:
    """Whatever the lengths of the windows, the throughput lies within its interval."""
    steps = [count for count, _ in windows]
    seconds = [0.01 * count * factor for count, factor in windows]
    centre, interval = throughput_images_per_s(steps, seconds, 64), throughput_interval(steps, seconds, 64)
    assert centre is not None
    assert interval is None or interval.low <= centre * (1 + 1e-9)
    assert interval is None or interval.high >= centre * (1 - 1e-9)


def test_interval_covers_as_often_as_it_says() -> None:
    """Of 1,000 intervals at 95 % over white noise, 950 hold the truth, give or take four standard errors (28)."""
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(1000):
        interval = throughput_interval([10] * 64, list(rng.normal(0.2, 0.02, 64)), 100)
        assert interval is not None
        covered += interval.low <= 100 * 10 / 0.2 <= interval.high
    assert 922 <= covered <= 978


def test_half_width_is_the_larger_side() -> None:
    """From 90 to 120 around 100 is 20 %."""
    assert Interval(90.0, 120.0).half_width(100.0) == pytest.approx(0.2)
    assert Interval(70.0, 120.0).half_width(100.0) == pytest.approx(0.3)


@pytest.mark.parametrize("warm_up", [1, 5, 12])
def test_warm_up_is_dropped(warm_up: int) -> None:
    """Slow windows at the beginning are dropped, exactly as many as there are."""
    steady = [0.100, 0.101] * 25
    assert steady_from([0.3] * warm_up + steady) == warm_up


def test_warm_up_that_fades_is_dropped() -> None:
    """Of an exponential settling, from three times down to a thousandth, most is dropped and the rest kept."""
    values = [0.1 * (1 + 2 * math.exp(-index / 3)) + 0.001 * (-1) ** index for index in range(60)]
    assert 8 <= steady_from(values) <= 20


def test_at_most_a_third_is_dropped() -> None:
    """Where the second half is another speed, that is no warm-up, and two thirds stay."""
    assert steady_from([0.3] * 15 + [0.1] * 15) <= 10


def test_white_noise_has_no_warm_up() -> None:
    """Over 200 steady series of 64 windows, 4 % of the windows are dropped at most on average, often none."""
    rng = np.random.default_rng(5)
    dropped = [steady_from(list(rng.normal(0.1, 0.005, 64))) for _ in range(200)]
    assert sum(dropped) <= 0.04 * 64 * 200
    assert dropped.count(0) > 100


@pytest.mark.parametrize("values", [[], [0.3], [0.3, 0.1, 0.1, 0.1, 0.1]])
def test_too_few_windows_for_a_warm_up(values: list[float]) -> None:
    """Under six windows nothing can be told from chance, so nothing is dropped."""
    assert steady_from(values) == 0


def test_quantiles() -> None:
    """Over step times of 1, 2, ... 101 ms the median is 51, nine tenths lie under 91, 99 % under 100."""
    steps, seconds = [10] * 101, [0.01 * milliseconds for milliseconds in range(101, 0, -1)]
    quantiles = step_time_quantiles_s(steps, seconds)
    assert quantiles == pytest.approx((0.051, 0.091, 0.100))
    assert step_time_quantiles_s([], []) is None
