"""The samples of a GPU, and the energy that windows back to back took of it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FLOATS = NDArray[np.float64]
SHORTEST_STRETCH_S = 10.0
"""Energy of less says little: counters move about every 100 ms (ml.energy, "Measuring GPU energy"), power is a mean of
the last second, and of an A100 or H100 the sensor sees a quarter of the time (Yang et al. 2023, arXiv:2312.02741)."""


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of one GPU in order: seconds of CLOCK_MONOTONIC, and a column for each figure, NaN where not told."""

    at_s: FLOATS
    columns: Mapping[str, FLOATS]

    def between(self, start_s: float, end_s: float) -> "Samples":
        """The samples within a time, bounds included."""
        inside = (self.at_s >= start_s) & (self.at_s <= end_s)
        return Samples(self.at_s[inside], {name: column[inside] for name, column in self.columns.items()})

    def known(self, name: str) -> tuple[FLOATS, FLOATS]:
        """Times and values of a figure where it was told."""
        column = self.columns.get(name, np.full(len(self.at_s), math.nan))
        told = ~np.isnan(column)
        return self.at_s[told], column[told]


NO_SAMPLES = Samples(np.empty(0), {})
"""Of a GPU that told nothing."""


@dataclass(frozen=True)
class Stretch:
    """Windows back to back: when they began and ended, their images, and the share of the time between them."""

    start_s: float
    end_s: float
    images: int
    idle_share: float

    @property
    def seconds(self) -> float:
        """From the first window's start to the last one's end."""
        return self.end_s - self.start_s


class TimedWindow(Protocol):
    """What is to be known of a window here."""

    @property
    def phase(self) -> str:
        """`window` for one that was timed."""

    @property
    def start_s(self) -> float:
        """On CLOCK_MONOTONIC."""

    @property
    def window_s(self) -> float:
        """Its seconds."""

    @property
    def steps(self) -> int:
        """The steps it trained."""


def longest_stretch(windows: Iterable[TimedWindow], global_batch: int) -> Stretch | None:
    """The longest run of timed windows with nothing in between but the harness; None without any."""
    runs = [list(run) for timed, run in groupby(windows, key=lambda one: one.phase == "window") if timed]
    return max((_stretch(run, global_batch) for run in runs), key=lambda one: one.seconds, default=None)


def _stretch(run: Sequence[TimedWindow], global_batch: int) -> Stretch:
    begun, ended = run[0].start_s, run[-1].start_s + run[-1].window_s
    # a clock so far from its origin that it cannot resolve a window is no clock of a machine that runs
    idle = 1 - math.fsum(one.window_s for one in run) / (ended - begun) if ended > begun else 0.0
    return Stretch(begun, ended, global_batch * sum(one.steps for one in run), max(0.0, idle))


def energy_j(samples: Samples, stretch: Stretch) -> float | None:
    """What the counter went up by over a stretch, straight between its readings; None where it was not read there."""
    at_s, counted = samples.known("energy_j")
    if len(at_s) < 2 or at_s[0] > stretch.start_s or at_s[-1] < stretch.end_s or np.any(np.diff(counted) < 0):
        return None
    begun, ended = np.interp([stretch.start_s, stretch.end_s], at_s, counted)
    return float(ended - begun)


def power_integral_j(samples: Samples, stretch: Stretch) -> float | None:
    """Power over a stretch by the trapezoidal rule, its ends interpolated; None where it was not read there."""
    at_s, power_w = samples.known("power_w")
    if len(at_s) < 2 or at_s[0] > stretch.start_s or at_s[-1] < stretch.end_s:
        return None
    inside = (at_s > stretch.start_s) & (at_s < stretch.end_s)
    times = np.concatenate([[stretch.start_s], at_s[inside], [stretch.end_s]])
    return float(np.trapezoid(np.interp(times, at_s, power_w), times))
