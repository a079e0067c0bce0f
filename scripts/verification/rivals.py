"""What the rules of other tools say of the same recorded windows: whether each would have called B slower.

Each is asked at its defaults, from its source: pytest-benchmark's utils.py (`current ÷ saved × 100 - 100 > limit`),
asv's _stats.py and commands/compare.py (Mann-Whitney's p < 0.002 and the median beyond a factor of 1.1, two rounds),
github-action-benchmark's write.ts (a ratio above 2). They get windows that took turns in one pair, which none of them
takes: what a saved run of another moment costs comes on top, and is asked of pytest-benchmark apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean, median

from counted import Count, count
from scipy import stats
from traces import PairTrace, Trace

Flags = Callable[[Trace], list[bool]]
Seconds = list[float]
"""Per image, of each window."""


@dataclass(frozen=True)
class Rival:
    """A rule and what it takes for one decision; `flags` are its decisions on one comparison."""

    name: str
    takes: str
    flags: Flags


def rivals() -> list[Rival]:
    """In the order of the table."""
    one, apart = "one process of each side, live at once", "one process of each side, minutes apart"
    return [
        Rival("pytest-benchmark, mean:5 %", one, partial(_each, partial(_beyond, fmean, 0.05))),
        Rival("pytest-benchmark, mean:10 %", one, partial(_each, partial(_beyond, fmean, 0.10))),
        Rival("pytest-benchmark, median:5 %", one, partial(_each, partial(_beyond, median, 0.05))),
        Rival("pytest-benchmark, mean:5 %, saved run", apart, partial(_apart, partial(_beyond, fmean, 0.05))),
        Rival("asv continuous", "two interleaved processes of each side", _asv),
        Rival("github-action-benchmark, 200 %", one, partial(_each, partial(_beyond, fmean, 1.0))),
        Rival("t-test, windows", one, partial(_each, _t_test)),
        Rival("t-test, all windows pooled", "every process of the comparison", _pooled),
        Rival("t-test, means of processes", "every process of the comparison", _means),
    ]


def counts(rival: Rival, traces: Sequence[Trace]) -> Count:
    """How many of its decisions on these comparisons call B slower."""
    return count([flag for trace in traces for flag in rival.flags(trace)])


def _each(slower: Callable[[Seconds, Seconds], bool], trace: Trace) -> list[bool]:
    return [slower(*_seconds(pair)) for pair in _whole(trace)]


def _apart(slower: Callable[[Seconds, Seconds], bool], trace: Trace) -> list[bool]:
    """The first process of A is the saved run, the last of B the current one."""
    pairs = _whole(trace)
    return [slower(_seconds(pairs[0])[0], _seconds(pairs[-1])[1])] if len(pairs) > 1 else []


def _beyond(centre: Callable[[Seconds], float], limit: float, a: Seconds, b: Seconds) -> bool:
    return centre(b) / centre(a) - 1 > limit


def _asv(trace: Trace) -> list[bool]:
    """Two rounds of processes for each decision; asv has no answer where so few windows cannot reach its p."""
    pairs = _whole(trace)
    decisions = []
    for first, second in zip(pairs[::2], pairs[1::2], strict=False):
        a, b = (first_s + second_s for first_s, second_s in zip(_seconds(first), _seconds(second), strict=True))
        many = max(len(a), len(b)) > 20
        test = stats.mannwhitneyu(a, b, use_continuity=False, method="asymptotic" if many else "exact")
        p = float(test.pvalue)
        decisions.append(p < 0.002 and median(b) > 1.1 * median(a))
    return decisions


def _t_test(a: Seconds, b: Seconds) -> bool:
    """Student's two-sided test at 5 %, and B the slower."""
    return bool(stats.ttest_ind(b, a).pvalue < 0.05) and fmean(b) > fmean(a)


def _pooled(trace: Trace) -> list[bool]:
    pairs = [_seconds(pair) for pair in _whole(trace)]
    return [_t_test(*([one for pair in pairs for one in pair[side]] for side in (0, 1)))] if pairs else []


def _means(trace: Trace) -> list[bool]:
    pairs = [_seconds(pair) for pair in _whole(trace)]
    return [_t_test(*([fmean(pair[side]) for pair in pairs] for side in (0, 1)))] if len(pairs) > 1 else []


def _whole(trace: Trace) -> list[PairTrace]:
    """Pairs of which both sides have enough windows; disturbed ones too: no other tool leaves them out."""
    return [pair for pair in trace.pairs if min(map(len, pair.rates)) > 1]


def _seconds(pair: PairTrace) -> tuple[Seconds, Seconds]:
    a, b = ([1 / rate for rate in side] for side in pair.rates)
    return a, b
