"""The arithmetic of windows: throughput, its interval, warm-up, quantiles. Pure functions of numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # scipy.stats would cost half a second of every start

Numbers = Sequence[float] | NDArray[Any]

CONFIDENCE = 0.95
FEWEST = 8
"""Fewer windows say next to nothing about how sure their mean is."""
BATCHES = 32
"""Windows are correlated over many neighbours; in the means of longer batches that shows in the next one."""
CORRELATION_ERRORS = 1.645
"""Standard errors by which correlation is taken to be higher than it looks: a one-sided bound at 95 %."""
HIGHEST_CORRELATION = 0.95
"""No finite series excludes 1, where a mean has no error at all; windows were seen up to 0.9."""
SPIKE = 2.0
"""A batch further off than this many mean deviations counts as one so far off, when correlation is estimated."""

DISTURBED_SCORE, DISTURBED_SHARE = 3.5, 0.02
"""From which modified z-score, and from which share of the median on, a window counts as disturbed."""


@dataclass(frozen=True)
class Interval:
    """Bounds of a throughput in images/s, or of a ratio of two, at 95 % confidence."""

    low: float
    high: float

    def half_width(self, centre: float) -> float:
        """The larger distance from `centre` to a bound, as a share of it."""
        return max(self.high - centre, centre - self.low) / centre


def throughput_images_per_s(steps: Numbers, window_s: Numbers, global_batch: int) -> float | None:
    """Images of all windows ÷ seconds of all windows, never a mean of rates; None without windows."""
    seconds = float(np.sum(window_s))
    return float(np.sum(steps)) * global_batch / seconds if seconds else None


def throughput_interval(
    steps: Numbers, window_s: Numbers, global_batch: int, alpha: float = 1 - CONFIDENCE
) -> Interval | None:
    """Within-process interval of the throughput by correlated batch means, or None under 8 windows.

    The windows in order are cut into up to 32 batches of as nearly as possible equal length (Schmeiser 1982,
    "Batch size effects in the analysis of simulation output"), of which each has its steps n and seconds s.
    Seconds per step are the ratio r = Σs ÷ Σn, so that a short window weighs what it trained and the interval
    always holds the throughput (Cochran 1977, "Sampling Techniques", 6.3). What is left of each batch,
    d = s - r n, is taken for a first-order autoregression (Fishman 1971, "Estimating sample size in computing
    simulation experiments"), whose coefficient is the upper bound of `correlation_bound`. The standard error of
    the mean d, `_error_of_mean`, divided by the mean n is that of r; times t with one degree of freedom less
    than batches, at the two-sided error `alpha`, it is turned into images/s. None where the interval reaches
    zero speed.
    """
    count = len(steps)
    if count < FEWEST:
        return None
    batches = min(count, BATCHES)
    starts = np.arange(batches) * count // batches
    n = np.add.reduceat(np.asarray(steps, float), starts)
    s = np.add.reduceat(np.asarray(window_s, float), starts)
    step_s = float(s.sum() / n.sum())
    error = _error_of_mean(s - step_s * n) * batches / float(n.sum())
    reach = float(stdtrit(batches - 1, 1 - alpha / 2)) * error
    if reach >= step_s:
        return None
    return Interval(global_batch / (step_s + reach), global_batch / (step_s - reach))


def correlation_bound(deviations: NDArray[np.float64]) -> float:
    """An upper bound of the lag-1 correlation of what deviates from its mean, between 0 and 0.95.

    The estimate c = Σ d_i d_(i+1) ÷ Σ d² of a series of n falls short of the truth φ by (1 + 4 φ) / n on average
    (Marriott and Pope 1954, "Bias in the estimation of autocorrelations") and has the standard error
    √((1 - φ²) / n) (Bartlett 1946). The bound is the φ from which c lies 1.645 standard errors down, solved as
    Wilson's score interval is (Wilson 1927). Spikes, which come alone and would hide a correlation, are clipped for it.
    """
    size = np.abs(deviations)
    n = len(deviations)
    limit = SPIKE * float(size.sum()) / n
    clipped = deviations.clip(-limit, limit)
    clipped -= clipped.sum() / n
    square = float(clipped @ clipped)
    if square == 0:
        return 0.0
    estimate = float(clipped[:-1] @ clipped[1:]) / square + 1 / n
    slope, error2 = 1 - 4 / n, CORRELATION_ERRORS**2 / n
    root = math.sqrt(max(0.0, error2 * (slope**2 + error2 - estimate**2)))
    return min(max(0.0, (slope * estimate + root) / (slope**2 + error2)), HIGHEST_CORRELATION)


def _error_of_mean(deviations: NDArray[np.float64]) -> float:
    """The standard error of the mean of a first-order autoregression of these deviations from it.

    With coefficient φ the innovations d_i - φ d_(i-1) have the variance (1 - φ²) V, where V is that of one d;
    the mean of n has V / n · ((1 + φ) / (1 - φ) - 2 φ (1 - φⁿ) / (n (1 - φ)²)). For φ = 0 that is Σd² / (n (n - 1)).
    """
    phi, n = correlation_bound(deviations), len(deviations)
    innovations = deviations[1:] - phi * deviations[:-1]
    # the first deviation has no predecessor, and is one innovation's worth of evidence all the same
    squares = float(innovations @ innovations) + (1 - phi**2) * float(deviations[0]) ** 2
    variance = squares / ((n - 1) * (1 - phi**2))
    return math.sqrt(variance / n * ((1 + phi) / (1 - phi) - 2 * phi * (1 - phi**n) / (n * (1 - phi) ** 2)))


def steady_from(step_s: Numbers) -> int:
    """Index of the first steady window: how many to drop as warm-up, at most a third of them.

    The MSER rule: drop the d windows that minimise the standard error of what is left (White 1997,
    "An effective truncation heuristic for bias reduction in simulation output").
    """
    values = np.asarray(step_s, float)
    count = len(values)
    if count < 6:
        return 0
    # sums from the end, around a value that occurs: equal values then differ by exactly nothing
    around = (values - values[-1])[::-1]
    sums, squares = around.cumsum(), (around * around).cumsum()
    left = np.arange(count, count - count // 3 - 1, -1)
    return int(np.argmin((squares[left - 1] - sums[left - 1] ** 2 / left) / left**2))


def disturbed(step_s: Numbers) -> NDArray[np.bool_]:
    """Which windows took far longer than most: whose modified z-score, 0.6745 (x - median) ÷ MAD, is above 3.5.

    MAD is the median absolute deviation (Iglewicz & Hoaglin 1993, "How to Detect and Handle Outliers"). They are 2 %
    longer than the median at least, so that the one odd window of a very even series is none. Fewer than 8 have none.
    """
    values = np.asarray(step_s, float)
    if len(values) < FEWEST:
        return np.zeros(len(values), bool)
    centre = float(np.median(values))
    above = values - centre
    deviation = float(np.median(np.abs(above)))
    found: NDArray[np.bool_] = (0.6745 * above > DISTURBED_SCORE * deviation) & (above > DISTURBED_SHARE * centre)
    return found


def step_time_quantiles_s(steps: Numbers, window_s: Numbers) -> tuple[float, float, float] | None:
    """p50, p90 and p99 over windows of the mean seconds per step in each; None without windows."""
    if not len(steps):
        return None
    step_s = np.sort(np.asarray(window_s, float) / np.asarray(steps, float))
    p50, p90, p99 = np.interp(np.array([0.5, 0.9, 0.99]) * (len(step_s) - 1), np.arange(len(step_s)), step_s)
    return float(p50), float(p90), float(p99)
