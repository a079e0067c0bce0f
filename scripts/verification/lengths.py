"""How long a pair of processes should be: what its windows leave to chance, and what its processes do."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np
from replay import Recorded, error_in
from traces import PairTrace, Trace

from bench.guard.live.metrics import THROUGHPUT
from bench.guard.live.pair import FEWEST_ROUNDS
from bench.measure.paired import centre

CENTRES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Hodges-Lehmann (shipped)": centre,
    "median": median,
    "mean of rounds": fmean,
}
"""Of log(B ÷ A) over the rounds of a pair."""
SHARES = (0.25, 0.5, 1.0)
"""Of a pair's rounds, from its start."""


@dataclass(frozen=True)
class Spread:
    """Standard deviations of log(B ÷ A): of a pair, and what of it the windows make and the processes make."""

    pair: float
    windows: float
    processes: float


def pairs_of(traces: Sequence[Trace]) -> list[PairTrace]:
    """Pairs that took turns, of comparisons of identical code, with rounds enough to be cut."""
    return [pair for trace in traces for pair in trace.used if pair.mode == "interleaved" and len(_rounds(pair)) > 1]


def spread_of(traces: Sequence[Trace], of: Callable[[Sequence[float]], float], share: float = 1.0) -> Spread:
    """From a share of every pair's rounds; identical code, so the truth is 0."""
    cut = [_cut(_rounds(pair), share) for pair in pairs_of(traces)]
    whole = math.sqrt(fmean(of(rounds) ** 2 for rounds in cut))
    windows = fmean(float(np.var(rounds, ddof=1)) / len(rounds) for rounds in cut)
    return Spread(whole, math.sqrt(windows), math.sqrt(max(0.0, whole**2 - windows)))


def shortened(traces: Sequence[Trace], share: float, of: Callable[[Sequence[float]], float] = centre) -> Recorded:
    """Pairs as they would have been with a share of their rounds: values, and seconds that their start still takes."""
    found = [
        (place, pair, _cut(_rounds(pair), share))
        for place, trace in enumerate(traces)
        for pair in pairs_of([trace])
    ]  # fmt: skip
    seconds = [
        pair.seconds - trace_s(pair, traces[place]) * (1 - len(cut) / len(_rounds(pair))) for place, pair, cut in found
    ]
    values = {THROUGHPUT: np.array([of(cut) for _, _, cut in found])}
    errors = np.array([error_in(pair, len(cut)) for _, pair, cut in found])
    return Recorded(values, errors, np.array(seconds), np.array([place for place, _, _ in found]))


def trace_s(pair: PairTrace, trace: Trace) -> float:
    """Seconds of windows and their run-ins in a pair, which is what `pair_s` asks for."""
    return min(trace.pair_s, pair.seconds)


def _rounds(pair: PairTrace) -> list[float]:
    return [math.log(b / a) for a, b in zip(*pair.rates, strict=False)]


def _cut(rounds: list[float], share: float) -> list[float]:
    return rounds[: max(FEWEST_ROUNDS, round(share * len(rounds)))]
