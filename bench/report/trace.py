"""The windows of one trial in order: when it settled, and which windows something disturbed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.measure.statistics import disturbed
from bench.report.rows import Row


@dataclass(frozen=True, eq=False)
class Trace:
    """The timed windows of a trial: seconds since the first began, seconds per step, which are short or disturbed.

    The first `warmup` of them do not count. `follows` tells whether a window began as the one before ended, with no
    evaluation in between.
    """

    at_s: NDArray[np.float64]
    step_s: NDArray[np.float64]
    short: NDArray[np.bool_]
    follows: NDArray[np.bool_]
    disturbed: NDArray[np.bool_]
    warmup: int

    @property
    def steady(self) -> int:
        """How many windows count."""
        return len(self.at_s) - self.warmup

    @property
    def disturbed_share(self) -> float:
        """Of the steady windows, of which there is one at least."""
        return int(self.disturbed.sum()) / self.steady


def trace_of(row: Row) -> Trace:
    """The trace of a trial with steady windows.

    Disturbed are, of these, those that took far longer than most, and those in which clocks of a GPU were taken away.
    """
    columns = row.record.windows
    places = np.flatnonzero([phase == "window" for phase in columns.phase])
    start_s, window_s, steps, short = (
        np.asarray(column)[places] for column in (columns.start_s, columns.window_s, columns.steps, columns.short)
    )
    step_s = window_s / steps
    warmup = len(places) - row.steady_windows
    odd = np.zeros(len(places), bool)
    odd[warmup:] = disturbed(step_s[warmup:])
    odd[[warmup + number - 1 for number in row.gpu.throttled_window_numbers]] = True
    return Trace(start_s - start_s[0], step_s, short, np.diff(places, prepend=-1) == 1, odd, warmup)
