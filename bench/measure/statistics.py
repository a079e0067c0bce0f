"""The arithmetic of windows: throughput, its interval, warm-up, quantiles. Pure functions of numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit  # scipy.stats would cost half a second of every start

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


def throughput_images_per_s(steps: Sequence[int], window_s: Sequence[float], global_batch: int) -> float | None:
    """Images of all windows ÷ seconds of all windows, never a mean of rates; None without windows."""
    seconds = float(np.sum(window_s))
    return float(np.sum(steps)) * global_batch / seconds if seconds else None


def throughput_interval(
    steps: Sequence[int], window_s: Sequence[float], global_batch: int, alpha: float = 1 - CONFIDENCE
) -> Interval | None:
    """Within-process interval of the throughput by non-overlapping batch means, or None under 8 windows.

    The windows in order are cut into 8 equal batches (a remainder at the front is left out); the seconds per
    step of each batch are averaged, and a t-interval with 7 degrees of freedom on their mean is turned into
    images/s (Schmeiser 1982, "Batch size effects in the analysis of simulation output"). `alpha` is the
    two-sided error. A lower bound that cannot be told from zero speed gives None.
    """
    size = len(steps) // BATCHES
    if size == 0:
        return None
    used = slice(len(steps) - size * BATCHES, None)
    step_counts = np.asarray(steps[used], float).reshape(BATCHES, size).sum(axis=1)
    step_s = np.asarray(window_s[used], float).reshape(BATCHES, size).sum(axis=1) / step_counts
    centre, error = step_s.mean(), step_s.std(ddof=1) / np.sqrt(BATCHES)
    reach = float(stdtrit(BATCHES - 1, 1 - alpha / 2)) * error
    if reach >= centre:
        return None
    return Interval(float(global_batch / (centre + reach)), float(global_batch / (centre - reach)))


def steady_from(step_s: Sequence[float]) -> int:
    """Index of the first steady window: how many to drop as warm-up, at most a third of them.

    The MSER rule: drop the d windows that minimise the standard error of what is left (White 1997,
    "An effective truncation heuristic for bias reduction in simulation output").
    """
    values = np.asarray(step_s, float)
    candidates = range(len(values) // 3 + 1) if len(values) >= 6 else range(1)
    return min(candidates, key=lambda dropped: values[dropped:].var() / len(values[dropped:]) if len(values) else 0.0)


def step_time_quantiles_s(steps: Sequence[int], window_s: Sequence[float]) -> tuple[float, float, float] | None:
    """p50, p90 and p99 over windows of the mean seconds per step in each; None without windows."""
    if not steps:
        return None
    p50, p90, p99 = np.quantile(np.asarray(window_s, float) / np.asarray(steps, float), (0.5, 0.9, 0.99))
    return float(p50), float(p90), float(p99)
