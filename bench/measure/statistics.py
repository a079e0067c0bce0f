"""The arithmetic of windows: throughput, its interval, warm-up, quantiles. Pure functions of numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # scipy.stats would cost half a second of every start

Numbers = Sequence[float] | NDArray[Any]

CONFIDENCE = 0.95
BATCHES = 8
"""Windows of one process are correlated; the means of eight long batches of them nearly are not."""


@dataclass(frozen=True)
class Interval:
    """Bounds of a throughput in images/s at 95 % confidence."""

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
    """Within-process interval of the throughput by batch means, or None under 8 windows.

    The windows in order are cut into 8 batches of as nearly as possible equal length (Schmeiser 1982, "Batch
    size effects in the analysis of simulation output"), of which each has its steps n and seconds s. Seconds
    per step are the ratio r = Σs ÷ Σn, so that a short window weighs what it trained and the interval always
    holds the throughput; its standard error is that of a ratio estimator, √(Σ(s - r n)² / (8 · 7)) ÷ mean n
    (Cochran 1977, "Sampling Techniques", 6.3), times t with 7 degrees of freedom at the two-sided error `alpha`,
    turned into images/s. None where the interval reaches zero speed.
    """
    if len(steps) < BATCHES:
        return None
    n = np.array([part.sum() for part in np.array_split(np.asarray(steps, float), BATCHES)])
    s = np.array([part.sum() for part in np.array_split(np.asarray(window_s, float), BATCHES)])
    step_s = s.sum() / n.sum()
    error = np.sqrt(((s - step_s * n) ** 2).sum() / (BATCHES * (BATCHES - 1))) / n.mean()
    reach = float(stdtrit(BATCHES - 1, 1 - alpha / 2)) * error
    if reach >= step_s:
        return None
    return Interval(float(global_batch / (step_s + reach)), float(global_batch / (step_s - reach)))


def steady_from(step_s: Numbers) -> int:
    """Index of the first steady window: how many to drop as warm-up, at most a third of them.

    The MSER rule: drop the d windows that minimise the standard error of what is left (White 1997,
    "An effective truncation heuristic for bias reduction in simulation output").
    """
    values = np.asarray(step_s, float)
    candidates = range(len(values) // 3 + 1) if len(values) >= 6 else range(1)
    return min(candidates, key=lambda dropped: values[dropped:].var() / len(values[dropped:]) if len(values) else 0.0)


def step_time_quantiles_s(steps: Numbers, window_s: Numbers) -> tuple[float, float, float] | None:
    """p50, p90 and p99 over windows of the mean seconds per step in each; None without windows."""
    if not len(steps):
        return None
    p50, p90, p99 = np.quantile(np.asarray(window_s, float) / np.asarray(steps, float), (0.5, 0.9, 0.99))
    return float(p50), float(p90), float(p99)
