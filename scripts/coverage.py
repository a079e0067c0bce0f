"""How often the interval of a throughput holds the truth, on correlated windows, looks included.

Series of windows are simulated whose truth is known: a first-order autoregression with lag-1 correlation φ and
coefficient of variation CV, with Gaussian or lognormal step times or Gaussian ones with spikes (3 % of the
windows take half as long again), from the first window on steady or behind a warm-up that starts at twice
the step time and fades. Each runs through the very functions of bench/measure, in four ways of stopping:

    target   the stopping rule with its looks, and one window that was queued at the stop
    epochs   64 windows, fixed beforehand, as epochs do
    fewest   32 windows, which those of shorter epochs are filled up to
    budget   the stopping rule, cut off after a random number of windows from 8 to 255 (uniform in its logarithm)

Spikes far above the noise (CV 3 %) are shown and not judged: of the series of 64 windows 14 % have none, of
32 windows 38 %, and nothing in those tells that there are any.

Printed for each: the share of intervals that hold the truth (with its own 95 % interval by Clopper and Pearson 1934),
the mean number of windows, and the share of series that stopped by target. Series without an interval, which claim
nothing, are left out of the coverage; the last lines give their share. Exit code 1 if any coverage is proven to be
below 93 %.

    .venv/bin/python scripts/coverage.py [--series 1200] [--target 0.03] [--seed 1]
"""

import argparse
import itertools
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.signal import lfilter
from scipy.special import betaincinv

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.execute.conduct import FEWEST_WINDOWS
from bench.measure.statistics import steady_from, throughput_interval
from bench.measure.stopping import LOOKS, alpha_of, verdict
from bench.trial import StoppedBy

REQUIRED = 0.93
CORRELATIONS = (0.2, 0.5, 0.7, 0.9)
VARIATIONS = (0.03, 0.10, 0.17, 0.24)
STEP_TIMES = ("gaussian", "lognormal", "spikes")
WAYS = ("target", "epochs", "fewest", "budget")
STEPS = 7
FIXED_WINDOWS = {"epochs": 64, "fewest": FEWEST_WINDOWS}
SPIKE_SHARE, SPIKE = 0.03, 0.5
QUIETEST_WITH_SPIKES = 0.10


@dataclass
class Tally:
    """What became of the series under one way of stopping."""

    covered: int = 0
    intervals: int = 0
    windows: list[int] = field(default_factory=list)
    stopped_by_target: int = 0

    @property
    def coverage(self) -> float:
        """The share of intervals that hold the truth."""
        return self.covered / self.intervals if self.intervals else math.nan

    @property
    def bounds(self) -> tuple[float, float]:
        """The 95 % interval of the coverage (Clopper and Pearson 1934)."""
        hit, missed = self.covered, self.intervals - self.covered
        low = float(betaincinv(hit, missed + 1, 0.025)) if hit else 0.0
        return low, float(betaincinv(hit + 1, missed, 0.975)) if missed else 1.0

    def __str__(self) -> str:
        low, high = self.bounds
        share = self.stopped_by_target / len(self.windows)
        return (
            f"{self.coverage:6.1%} ({low:5.1%}-{high:6.1%}) {np.mean(self.windows):5.0f} {share:5.0%}"
            f"{'!' if high < REQUIRED else ' '}"
        )


def main() -> None:
    """Simulate and print; the exit code says whether any coverage is too low."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--series", type=int, default=1200, help="series for each line of the table")
    parser.add_argument("--target", type=float, default=0.03, help="wanted half width as a share of the throughput")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    print(" " * 30 + "".join(f"| {way:36}" for way in WAYS))
    print(f"{'φ':4}{'CV':5}{'step times':12}{'warm-up':9}" + "| coverage (95 %)       windows target " * len(WAYS))
    judged: dict[str, list[Tally]] = {way: [] for way in WAYS}
    for phi, cv, kind, warm_up in itertools.product(CORRELATIONS, VARIATIONS, STEP_TIMES, (False, True)):
        series, truth_s = simulate(rng, options.series, phi, cv, kind, warm_up=warm_up)
        line = {way: Tally() for way in WAYS}
        for step_s in series:
            for way, tally in line.items():
                count, by_target = stop(step_s, way, options.target, rng)
                judge(step_s[:count], end_of(way, by_target=by_target), truth_s, tally)
                tally.stopped_by_target += by_target
        print(f"{phi:<4}{cv:<5.2f}{kind:12}{'yes' if warm_up else 'no':9}" + "".join(f"| {line[way]} " for way in WAYS))
        sys.stdout.flush()
        if kind != "spikes" or cv >= QUIETEST_WITH_SPIKES:
            for way, tally in line.items():
                judged[way].append(tally)
    sys.exit(summarise(judged) > 0)


def summarise(judged: dict[str, list[Tally]]) -> int:
    """Print the worst of each way of stopping; how many coverages are proven to be too low."""
    failed = 0
    for way, tallies in judged.items():
        below = sum(tally.bounds[1] < REQUIRED for tally in tallies)
        lowest = min(tally.coverage for tally in tallies)
        silent = max(1 - tally.intervals / len(tally.windows) for tally in tallies)
        print(
            f"{way}: lowest coverage {lowest:.1%}; proven below {100 * REQUIRED:.0f} % (!): {below} of {len(tallies)};"
            f" without an interval {silent:.1%} at most"
        )
        failed += below
    return failed


def simulate(
    rng: np.random.Generator, count: int, phi: float, cv: float, kind: str, *, warm_up: bool
) -> tuple[np.ndarray, float]:
    """Step times of `count` series, each one window longer than the last look, and their true mean in steady state."""
    noise = rng.standard_normal((count, LOOKS[-1] + 1))
    noise[:, 1:] *= np.sqrt(1 - phi**2)
    normal = lfilter([1], [1, -phi], noise, axis=1)
    log_sd = np.sqrt(np.log1p(cv**2))
    step_s = np.exp(log_sd * normal - log_sd**2 / 2) if kind == "lognormal" else np.maximum(1 + cv * normal, 0.05)
    mean_s = 1.0
    if kind == "spikes":
        step_s *= 1 + SPIKE * (rng.random(step_s.shape) < SPIKE_SHARE)
        mean_s += SPIKE * SPIKE_SHARE
    if warm_up:
        step_s *= 1 + np.exp(-np.arange(step_s.shape[1]) / 2)
    return step_s, mean_s


def stop(step_s: np.ndarray, way: str, target: float, rng: np.random.Generator) -> tuple[int, bool]:
    """After how many windows measuring ends, and whether the target ended it."""
    if way in FIXED_WINDOWS:
        return FIXED_WINDOWS[way], False
    cut = int(np.exp(rng.uniform(np.log(8), np.log(LOOKS[-1])))) if way == "budget" else LOOKS[-1]
    for look in LOOKS:
        if look <= cut and (why := verdict([STEPS] * look, STEPS * step_s[:look], target)):
            return look + 1, why == "target"
    return cut, False


def end_of(way: str, *, by_target: bool) -> StoppedBy:
    """What a record calls that end."""
    if way in FIXED_WINDOWS:
        return "epochs"
    if way == "budget":
        return "budget"
    return "target" if by_target else "last_look"


def judge(step_s: np.ndarray, stopped_by: StoppedBy, truth_s: float, tally: Tally) -> None:
    """The interval as a report derives it, against the truth."""
    tally.windows.append(len(step_s))
    steady = step_s[steady_from(step_s) :]
    interval = throughput_interval([STEPS] * len(steady), STEPS * steady, 1, alpha_of(stopped_by, len(step_s)))
    if interval is not None:
        tally.intervals += 1
        tally.covered += interval.low <= 1 / truth_s <= interval.high


if __name__ == "__main__":
    main()
