"""The windows of a trial that were timed, as arrays: what every figure of speed is derived from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.measure.statistics import steady_from, step_time_quantiles_s
from bench.store.windows import WindowColumns


@dataclass(frozen=True, eq=False)
class Timed:
    """Windows in order: the steps of each, its seconds, and whether it is short; float64, float64, bool.

    Steps are floats, exact below 2**53, so that no sum of them can overflow.
    """

    steps: NDArray[np.float64]
    window_s: NDArray[np.float64]
    short: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, chosen: "NDArray[np.bool_] | slice") -> "Timed":
        return Timed(self.steps[chosen], self.window_s[chosen], self.short[chosen])


NONE = Timed(np.empty(0), np.empty(0), np.empty(0, bool))
"""No windows."""


def measured_windows(windows: WindowColumns) -> Timed:
    """Every window that was measured for its speed, warm-up included."""
    measured = np.array([phase == "window" for phase in windows.phase], bool)
    if not measured.any():
        return NONE
    columns = Timed(np.asarray(windows.steps, float), np.asarray(windows.window_s), np.asarray(windows.short))
    return columns[measured]


def steady_windows(measured: Timed) -> tuple[Timed, int]:
    """The windows that count, and how many whole ones before them are warm-up, which short ones have no say in."""
    whole = np.flatnonzero(~measured.short)
    warmup = steady_from(measured.window_s[whole] / measured.steps[whole])
    return measured[whole[warmup] :] if len(whole) else measured, warmup


def gap_share(windows: WindowColumns) -> float | None:
    """Seconds between windows that follow each other, as a share of the seconds of those before each gap.

    A run-in in between, and with it an evaluation, breaks the chain. None where no window follows another.
    """
    measured = np.array([phase == "window" for phase in windows.phase], bool)
    followed = np.flatnonzero(measured[:-1] & measured[1:])
    if not len(followed):
        return None
    start_s, window_s = np.asarray(windows.start_s), np.asarray(windows.window_s)
    gaps_s = start_s[followed + 1] - (start_s[followed] + window_s[followed])
    return float(gaps_s.sum() / window_s[followed].sum())


def pooled(parts: Sequence[Timed]) -> Timed:
    """The windows of several processes behind one another."""
    if not parts:
        return NONE
    steps, window_s, short = (
        np.concatenate([getattr(part, column) for part in parts]) for column in ("steps", "window_s", "short")
    )
    return Timed(steps, window_s, short)


def whole_windows(windows: Timed) -> Timed:
    """Those that are not short; the short ones where there are no others."""
    return windows if windows.short.all() else windows[~windows.short]


def quantiles_s(windows: Timed) -> tuple[float | None, float | None, float | None]:
    """p50, p90 and p99 seconds per step over whole windows, over the short ones where there are no others."""
    counted = whole_windows(windows)
    return step_time_quantiles_s(counted.steps, counted.window_s) or (None, None, None)
