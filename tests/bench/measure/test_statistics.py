"""The arithmetic of windows against values worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.measure.statistics import (
    Interval,
    correlation_bound,
    disturbed,
    steady_from,
    step_time_quantiles_s,
    throughput_images_per_s,
    throughput_interval,
)

T_7_975 = 2.364624
T_7_99375 = 3.335295
T_15_975 = 2.131450
T_63_975 = 1.998341
"""Student's t with 7, 15 and 63 degrees of freedom, from a table: two-sided 5 % and 1.25 %."""


def autoregression(rng: np.random.Generator, count: int, length: int, phi: float) -> NDArray[np.float64]:
    """`count` series of mean 0 and variance 1 whose neighbours are correlated by `phi`."""
    values = rng.standard_normal((count, length))
    for index in range(1, length):
        values[:, index] = phi * values[:, index - 1] + math.sqrt(1 - phi**2) * values[:, index]
    return values


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
    """Windows of 1 s and 3 s in turn do not go together, so their standard error is sqrt(8 / (8 x 7)) / 10 s a step."""
    interval = throughput_interval([10] * 8, [1.0, 3.0] * 4, 100, alpha)
    reach = t * math.sqrt(8 / 56) / 10
    assert interval is not None
    assert interval.low == pytest.approx(100 / (0.2 + reach), rel=1e-5)
    assert interval.high == pytest.approx(100 / (0.2 - reach), rel=1e-5)


def test_interval_is_of_batch_means() -> None:
    """Sixty-four windows are 32 batches of two neighbours: noise that cancels within each leaves no width."""
    alternating = throughput_interval([10] * 64, [1.0, 3.0] * 32, 100)
    in_pairs = throughput_interval([10] * 64, [1.0, 1.0, 3.0, 3.0] * 16, 100)
    assert alternating == Interval(500.0, 500.0)
    assert in_pairs is not None
    assert in_pairs.high - in_pairs.low > 100


def test_interval_is_that_of_an_autoregression() -> None:
    """With R the matrix of φ to the power of the distance, the mean of d has the variance d'R⁻¹d/(n-1) · 1'R1/n²."""
    seconds = np.array([2.0, 2.1, 2.3, 2.2, 2.1, 1.9, 1.8, 1.9, 2.0, 1.8, 1.7, 2.0, 2.1, 2.2, 2.0, 1.9])
    deviations = seconds - seconds.mean()
    powers = correlation_bound(deviations) ** np.abs(np.subtract.outer(np.arange(16), np.arange(16)))
    variance = deviations @ np.linalg.inv(powers) @ deviations / 15 * powers.sum() / 16**2
    reach = T_15_975 * math.sqrt(variance) / 10
    interval = throughput_interval([10] * 16, seconds, 1)
    assert interval is not None
    assert interval.low == pytest.approx(1 / (seconds.mean() / 10 + reach), rel=1e-5)
    assert interval.high == pytest.approx(1 / (seconds.mean() / 10 - reach), rel=1e-5)


def test_interval_does_not_mind_the_container() -> None:
    """Lists and arrays of the same windows give the same."""
    steps, seconds = [10] * 40, [0.2 + 0.01 * (index % 7) for index in range(40)]
    assert throughput_interval(steps, seconds, 8) == throughput_interval(np.array(steps), np.array(seconds), 8)
    assert step_time_quantiles_s(steps, seconds) == step_time_quantiles_s(np.array(steps), np.array(seconds))
    assert throughput_images_per_s(steps, seconds, 8) == throughput_images_per_s(np.array(steps), np.array(seconds), 8)
    assert steady_from(seconds) == steady_from(np.array(seconds))


def test_correlation_bound_by_hand() -> None:
    """Pairs of +1 and -1 have c = (8 - 7) / 16, which is 1.645 errors under its mean φ - (1 + 4 φ) / 16 for that φ."""
    bound = correlation_bound(np.array([1.0, 1.0, -1.0, -1.0] * 4))
    assert bound - (1 + 4 * bound) / 16 - 1.645 * math.sqrt((1 - bound**2) / 16) == pytest.approx(1 / 16)


def test_correlation_bound_stays_between_nothing_and_the_highest() -> None:
    """Windows in turn have no correlation that could widen an interval; a trend has the highest that is believed."""
    assert correlation_bound(np.array([1.0, -1.0] * 16)) == 0
    assert correlation_bound(np.arange(32.0) - 15.5) == 0.95
    assert correlation_bound(np.zeros(32)) == 0


def test_spikes_do_not_hide_a_correlation() -> None:
    """A slow wave keeps its correlation when single windows take ten times as long as the wave is high."""
    wave = np.sin(np.arange(32) * 2 * np.pi / 16)
    spiked = wave + 10.0 * np.isin(np.arange(32), [7, 21])
    assert correlation_bound(wave) > 0.9
    assert correlation_bound(spiked - spiked.mean()) > 0.8


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


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_interval_covers_as_often_as_it_says(phi: float) -> None:
    """Of 1,000 intervals over 64 windows correlated by φ, 930 or more hold the truth.

    Means of eight batches, taken for uncorrelated, hold it in 728 where φ is 0.9.
    """
    series = autoregression(np.random.default_rng(11), 1000, 64, phi)
    intervals = [throughput_interval([10] * 64, 0.2 + 0.02 * values, 100) for values in series]
    assert sum(1 for interval in intervals if interval and interval.low <= 5000 <= interval.high) >= 930


def test_interval_is_not_wider_than_it_must_be() -> None:
    """Over white noise, an interval is at most 1.7 times as wide as if the noise were known to be white."""
    series = autoregression(np.random.default_rng(12), 200, 64, 0.0)
    widths = [
        interval.high - interval.low
        for values in series
        if (interval := throughput_interval([10] * 64, 0.2 + 0.02 * values, 100))
    ]
    known = 2 * T_63_975 * 0.02 / math.sqrt(64) / 0.2 * 5000
    assert len(widths) == 200
    assert known < sorted(widths)[100] < 1.7 * known


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


@given(st.lists(st.floats(0.01, 10.0), min_size=6, max_size=60))
def test_warm_up_is_what_the_rule_says(values: list[float]) -> None:
    """No other number of dropped windows, up to a third, leaves a smaller variance ÷ windows."""

    def error(dropped: int) -> float:
        return float(np.var(values[dropped:])) / (len(values) - dropped)

    assert error(steady_from(values)) <= min(error(dropped) for dropped in range(len(values) // 3 + 1)) + 1e-12


def test_quantiles() -> None:
    """Over step times of 1, 2, ... 101 ms the median is 51, nine tenths lie under 91, 99 % under 100."""
    steps, seconds = [10] * 101, [0.01 * milliseconds for milliseconds in range(101, 0, -1)]
    quantiles = step_time_quantiles_s(steps, seconds)
    assert quantiles == pytest.approx((0.051, 0.091, 0.100))
    assert step_time_quantiles_s([], []) is None


@given(st.lists(st.floats(0.01, 10.0), min_size=1, max_size=60))
def test_quantiles_are_those_of_numpy(window_s: list[float]) -> None:
    """Between two windows a quantile is interpolated, as numpy does it."""
    quantiles = step_time_quantiles_s([1] * len(window_s), window_s)
    assert quantiles == pytest.approx(tuple(np.quantile(window_s, (0.5, 0.9, 0.99))))


def test_windows_that_took_far_longer_are_disturbed() -> None:
    """Planted ones of 1.3 and 2 times the rest are found in noise of 2 %, and little else."""
    step_s = 0.1 * (1 + np.random.default_rng(0).normal(0, 0.02, 200))
    step_s[[50, 120]] *= (1.3, 2.0)
    found = set(np.flatnonzero(disturbed(step_s)).tolist())
    assert {50, 120} <= found
    assert len(found) <= 4


def test_disturbed_is_what_the_rule_says() -> None:
    """By hand: the median is 1, the median absolute deviation 0.02, so that a score of 3.5 lies at 1.1038."""
    even = [0.96, 0.98, 0.98, 0.98, 1.0, 1.02, 1.02, 1.02]
    assert disturbed([*even, 1.103]).tolist() == [False] * 9
    assert disturbed([*even, 1.105]).tolist() == [False] * 8 + [True]


def test_an_even_series_has_no_disturbed_window() -> None:
    """Where all are equal, 1 % more is no disturbance; fast windows and few windows never are."""
    assert not disturbed([1.0] * 20 + [1.01]).any()
    assert not disturbed([1.0] * 20 + [0.1]).any()
    assert not disturbed([1.0] * 6 + [9.0]).any()
