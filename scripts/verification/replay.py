"""A model of the guard: comparisons drawn from recorded pairs of identical code, with a known effect, judged by a rule.

What it says holds as far as pairs of another comparison are like those recorded: it is labelled a model wherever it is
shown. Pairs are drawn one by one from all comparisons, with a random sign, since identical sides have none; or from one
comparison each, whose sign they share, which keeps what pairs of the same minutes have in common.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from candidates import Array, Candidate, Known
from numpy.typing import NDArray
from traces import PairTrace, Trace

from bench.guard.live.metrics import (
    ASSUMED,
    FIRST_STEP,
    MEAN,
    OTHER_METRICS,
    PROCESSES_SD,
    SPEEDS,
    THROUGHPUT,
    error_of,
)

Drawn = Literal["pairs", "comparisons"]
REGRESSED, INCONCLUSIVE, IMPROVED, UNCHANGED, LEFT = range(5)
"""The last is inconclusive too, and no more pairs are wanted for it: bench.guard.live.metrics.Judged.is_open."""


@dataclass(frozen=True)
class Recorded:
    """Pairs of identical code: log(B ÷ A) of each metric, the error that rounds tell of, seconds, the comparison."""

    logs: Mapping[str, Array]
    errors: Array
    seconds: Array
    of: NDArray[np.intp]

    @property
    def groups(self) -> list[list[float]]:
        """Of throughput, comparison by comparison."""
        values = self.logs[THROUGHPUT]
        return [list(values[self.of == place]) for place in range(int(self.of.max()) + 1)]


@dataclass(frozen=True)
class Simulated:
    """Shares of comparisons with each verdict, and of gates that fail, as they do only where two comparisons agree.

    `unchanged` counts improvements too.
    """

    regressed: float
    unchanged: float
    inconclusive: float
    twice: float
    minutes: float
    """Median of one comparison."""
    pairs: float
    """Mean of one comparison."""


def recorded_of(traces: Sequence[Trace]) -> Recorded:
    """The pairs of comparisons of identical code, of metrics that all have; ValueError where there are too few."""
    used = [(place, pair) for place, trace in enumerate(traces) for pair in trace.used]
    if len(used) < 8:
        raise ValueError(f"{len(used)} undisturbed pairs of identical code are recorded: too few for a model, take 8")
    metrics = set.intersection(*(set(pair.logs) for _, pair in used))
    logs = {name: np.array([pair.logs[name] for _, pair in used]) for name in sorted(metrics)}
    seconds = np.array([pair.seconds for _, pair in used])
    return Recorded(
        logs, np.array([error_in(pair) for _, pair in used]), seconds, np.array([place for place, _ in used])
    )


def error_in(pair: PairTrace, rounds: int | None = None) -> float:
    """What some or all rounds of a pair say of its error; that of what is assumed where they are too few to say it."""
    found = error_of([math.log(b / a) for a, b in zip(*pair.rates, strict=False)][:rounds])
    return _beside_processes(ASSUMED.sd) if found is None else found


def _beside_processes(sd: float) -> float:
    """What windows leave to chance in pairs that differ by so much."""
    return math.sqrt(max(0.0, sd**2 - PROCESSES_SD**2))


def made_up(sd: float, spikes: float = 0.0, shared: float = 0.0, count: int = 4000, pair_s: float = 22.0) -> Recorded:
    """Pairs that nobody measured: normal throughput, some hit by ±1 to 4 %, and what ten each have in common."""
    rng = np.random.default_rng(11)
    hit = (rng.random(count) < spikes) * rng.uniform(0.01, 0.04, count) * rng.choice([-1, 1], count)
    common = np.repeat(rng.normal(0, shared, count // 10), 10) if shared else np.zeros(count)
    values = rng.normal(0, sd, count) + hit + common
    errors = np.full(count, _beside_processes(sd))
    return Recorded({THROUGHPUT: values}, errors, np.full(count, pair_s), np.arange(count) // 10)


def simulate(
    recorded: Recorded,
    rule: Candidate,
    known: Known | None,
    margin: float,
    extra: float = 0.0,
    *,
    drawn: Drawn = "pairs",
    series: int = 20_000,
    seed: int = 0,
) -> Simulated:
    """Draw comparisons whose B takes longer by the share `extra`, and judge them; two halves make the gates.

    Where nothing is `known`, as on a machine that has recorded nothing, each has what its own rounds say.
    """
    rng = np.random.default_rng(seed)
    last = rule.looks[-1]
    places, signs = _draw(recorded, series, last, drawn, rng)
    logs = {name: signs * values[places] for name, values in recorded.logs.items()}
    for speed in logs.keys() & SPEEDS:
        logs[speed] -= math.log1p(extra)
    verdicts = {name: np.full(series, INCONCLUSIVE) for name in logs}
    taken, open_ = np.full(series, last), np.ones(series, bool)
    for look in rule.looks:
        clear = np.ones(series, bool)
        for name, values in logs.items():
            knows = known or _expected(recorded.errors[places[:, :look]])
            now = _verdict(name, values[:, :look], rule, knows, margin)
            verdicts[name][open_] = now[open_]
            clear &= now != INCONCLUSIVE
        for speed in logs.keys() & SPEEDS:
            clear |= verdicts[speed] == REGRESSED  # whatever memory does: bench.guard.live.collect.is_clear
        taken[open_ & clear] = look
        open_ &= ~clear
    return _summed(recorded, verdicts, taken, places)


def _draw(
    recorded: Recorded, series: int, count: int, drawn: Drawn, rng: np.random.Generator
) -> tuple[NDArray[np.intp], Array]:
    """Which pairs each series has, and their signs."""
    if drawn == "pairs":
        shape = series, count
        return rng.integers(len(recorded.of), size=shape), rng.choice([-1.0, 1.0], shape)
    members = [np.flatnonzero(recorded.of == place) for place in np.unique(recorded.of)]
    places = np.stack([rng.choice(members[one], count) for one in rng.integers(len(members), size=series)])
    return places, rng.choice([-1.0, 1.0], (series, 1)) * np.ones((1, count))


def _expected(errors: Array) -> Known:
    """By bench.guard.live.metrics.expected_of, for all series."""
    return Known(np.hypot(np.sqrt(np.square(errors).mean(axis=1)), PROCESSES_SD), ASSUMED.freedom)


def _verdict(name: str, values: Array, rule: Candidate, known: Known, margin: float) -> NDArray[np.int_]:
    """By bench.guard.live.rule.verdict_of, for all series."""
    metric = next((one for one in OTHER_METRICS if one.name == name), None)
    if metric is not None:
        margin, known = metric.margin, Known(metric.known.sd, 0)
    centre, reach = rule.bounds(values if metric is None else -values, known, rule.alpha_of_a_look)
    beyond = -math.log1p(-margin)
    low, high = centre - reach, centre + reach
    found = np.full(len(values), INCONCLUSIVE)
    found[(-beyond < low) & (high < beyond)] = UNCHANGED
    found[low > beyond] = IMPROVED
    found[high < -beyond] = REGRESSED
    if name in {MEAN, FIRST_STEP}:
        looks_worse = (centre < -beyond) & (name == MEAN)
        found[(found == INCONCLUSIVE) & ~looks_worse] = LEFT
    return found


def _summed(
    recorded: Recorded, verdicts: Mapping[str, NDArray[np.int_]], taken: NDArray[np.int_], places: NDArray[np.intp]
) -> Simulated:
    worse = {name: found == REGRESSED for name, found in verdicts.items()}
    slower = np.any([worse.pop(name) for name in SPEEDS & worse.keys()], axis=0)  # one of speed confirms the other
    table = np.stack([slower, *worse.values()])
    regressed = table.any(axis=0)
    unclear = np.any([found == INCONCLUSIVE for found in verdicts.values()], axis=0)
    half = table.shape[1] // 2
    twice = (table[:, :half] & table[:, half : 2 * half]).any(axis=0)
    seconds = recorded.seconds[places].cumsum(axis=1)[np.arange(len(taken)), taken - 1]
    return Simulated(
        regressed=float(regressed.mean()),
        unchanged=float((~regressed & ~unclear).mean()),
        inconclusive=float((~regressed & unclear).mean()),
        twice=float(twice.mean()),
        minutes=float(np.median(seconds)) / 60,
        pairs=float(taken.mean()),
    )
