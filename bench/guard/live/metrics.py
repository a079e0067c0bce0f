"""What the pairs of a comparison say of B: a verdict on each metric, and one on all of them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, median

from bench.guard.live.rule import Estimate, Known, estimate_of, verdict_of
from bench.guard.verdict import Verdict
from bench.measure.paired import centre, centre_of
from bench.measure.suffering import suffered
from bench.store.pairs import AccuracyRecord, PairRecord
from bench.store.record import TrialRecord
from bench.store.windows import Window

ASSUMED = Known(0.01, 4)
"""Of log(B ÷ A) of throughput from pair to pair where nothing says more: before the first pair, and where sides ran in
turn. What is measured soon counts for more than these four pairs."""
PROCESSES_SD = 0.006
"""By how much pairs of identical code differ beside what their windows leave to chance: ten pairs of 80 s differed by
so much on a shared machine of two cores, all of it taken for their processes'."""
STEAL = 0.1
"""Share of CPU time from which on a pair is disturbed: less is shared out between sides that take turns."""
MOST_DISTURBED = 0.5
"""Share of pairs that may be disturbed, and are left out, before there is no verdict."""


@dataclass(frozen=True)
class Metric:
    """What is compared: its value on one side, the margin as a share, what is known of a pair's sd."""

    name: str
    unit: str
    of: Callable[[TrialRecord], float | None]
    margin: float
    known: Known
    more_is_better: bool = False


THROUGHPUT = "throughput"
"""By the centre over rounds, which what few of them have does not move, be it the machine's spike or B's stall."""
MEAN = "mean throughput"
"""By all windows, stalls included."""
SPEEDS = frozenset({THROUGHPUT, MEAN})
FIRST_STEP = "first step"


def throughput_of(record: TrialRecord) -> float | None:
    """The centre of the timed windows' images/s."""
    rates = _log_rates(record)
    return math.exp(centre(rates)) if rates else None


def mean_throughput_of(record: TrialRecord) -> float | None:
    """Images of all timed windows ÷ their seconds."""
    timed = timed_of(record)
    seconds = sum(window.window_s for window in timed)
    return sum(window.steps for window in timed) * record.trial.cell.global_batch / seconds if timed else None


def timed_of(record: TrialRecord) -> list[Window]:
    """The windows that are measurements, in order."""
    return [window for window in record.windows if window.phase == "window"]


OTHER_METRICS = (
    Metric("host memory", "MiB", lambda one: _mebibytes(one.peak_host_memory_bytes), 0.04, Known(0.003)),
    Metric("device memory", "MiB", lambda one: _mebibytes(one.peak_device_memory_bytes), 0.01, Known(0.001)),
    Metric(FIRST_STEP, "s", lambda one: one.first_step_s, 0.25, Known(0.03)),
)
"""Beside throughput. Memory of a host is noisy by what libraries happen to share; an allocator's peak repeats exactly;
a first step is tracing and compiling, a single time each, and noisy. The least deviations keep four values that happen
to agree from proving a difference that no one would mind."""


@dataclass(frozen=True)
class Judged:
    """One metric: the median of each side over the pairs, B ÷ A with its interval, and what follows."""

    name: str
    unit: str
    a: float
    b: float
    estimate: Estimate | None
    margin: float
    verdict: Verdict

    @property
    def is_open(self) -> bool:
        """Whether more pairs are wanted for it, and the whole is unclear as long as it is.

        A first step, a single time in each process, and a mean, which takes in every spike, are too noisy to be waited
        for: they are judged with what there is, but for a mean that is beyond the margin as it stands.
        """
        if self.verdict != "inconclusive" or self.name == FIRST_STEP:
            return False
        return self.name != MEAN or self.estimate is None or self.estimate.centre < math.log1p(-self.margin)


def log_ratio_of(pair: PairRecord) -> float:
    """log(B ÷ A) of throughput in one pair of processes.

    Where they took turns it is the Hodges-Lehmann centre over rounds, each side's window against the other's beside it;
    else the difference of both sides' centres.
    """
    if pair.mode == "in turn":
        return centre(_log_rates(pair.b)) - centre(_log_rates(pair.a))
    return centre(_rounds_of(pair))


def _rounds_of(pair: PairRecord) -> list[float]:
    return [b - a for a, b in zip(_log_rates(pair.a), _log_rates(pair.b), strict=True)]


def _log_rates(side: TrialRecord) -> list[float]:
    batch = side.trial.cell.global_batch
    return [math.log(window.steps * batch / window.window_s) for window in timed_of(side)]


def expected_of(pairs: Sequence[PairRecord]) -> Known:
    """What the rounds of these pairs say of how pairs differ: their ratios' own mean error, and the processes' beside.

    ASSUMED where a pair has too few rounds, or its sides ran in turn.
    """
    errors = [error_of(_rounds_of(pair)) for pair in pairs if pair.mode == "interleaved"]
    known = [error for error in errors if error is not None]
    if not known or len(known) < len(pairs):
        return ASSUMED
    return Known(math.hypot(math.sqrt(fmean(error**2 for error in known)), PROCESSES_SD), ASSUMED.freedom)


def error_of(log_ratios: Sequence[float]) -> float | None:
    """The standard error of the centre of a pair's rounds, from its 95 % interval; None of too few."""
    found = centre_of(log_ratios)
    return None if found is None else (found.high - found.low) / (2 * _NORMAL)


_NORMAL = NormalDist().inv_cdf(0.975)


def disturbance_of(pair: PairRecord) -> list[str]:
    """What the machine did to a pair beyond what both sides share."""
    told = (pair.a.worker_cpu_s, pair.b.worker_cpu_s)
    own_s = None if None in told else pair.parent_cpu_s + math.fsum(one or 0.0 for one in told)
    return suffered(pair.conditions_before, pair.conditions_after, own_s, STEAL)


def failure_of(pairs: Sequence[PairRecord | AccuracyRecord], sides: str = "AB") -> str | None:
    """The first of some sides that did not run to its end, and why; None where all did."""
    ran = ((name, side) for pair in pairs for name, side in (("A", pair.a), ("B", pair.b)) if name in sides)
    failed = [(name, side) for name, side in ran if side.status not in {"ok", "skipped"}]
    return f"{failed[0][0]} ended in {failed[0][1].status}: {failed[0][1].reason}" if failed else None


def undisturbed(pairs: Sequence[PairRecord]) -> list[PairRecord]:
    """The pairs that count: both sides ran, and nothing else did."""
    ran = [pair for pair in pairs if pair.a.status == pair.b.status == "ok"]
    return [pair for pair in ran if not disturbance_of(pair)]


def judge(pairs: Sequence[PairRecord], margin: float, known: Known) -> list[Judged]:
    """Every metric that both sides have in every one of these pairs; `known` is of throughput.

    It stands for the mean's too, which is noisier: what the rule misses stays the same whatever pairs truly differ by.
    """
    if not pairs:
        return []
    by_centre = Metric(THROUGHPUT, "images/s", throughput_of, margin, known, more_is_better=True)
    by_mean = Metric(MEAN, "images/s", mean_throughput_of, margin, known, more_is_better=True)
    found = [(by_centre, [log_ratio_of(pair) for pair in pairs])]
    found += [(metric, logs_of(metric.of, pairs)) for metric in (by_mean, *OTHER_METRICS)]
    return [_judged(metric, pairs, values) for metric, values in found if values]


def worst(judged: Sequence[Judged], others: Sequence[Verdict] = ()) -> Verdict:
    """One word for all metrics and other verdicts: the worst, an improvement only where throughput improved."""
    verdicts = {one.name: one.verdict for one in judged}
    if "regressed" in {*verdicts.values(), *others}:
        return "regressed"
    if "inconclusive" in others or any(one.is_open for one in judged):
        return "inconclusive"
    return verdicts.get(THROUGHPUT, "inconclusive")


def _judged(metric: Metric, pairs: Sequence[PairRecord], log_ratios: Sequence[float]) -> Judged:
    estimate = estimate_of(log_ratios, metric.known)
    a, b = (median(filter(None, map(metric.of, sides))) for sides in ([p.a for p in pairs], [p.b for p in pairs]))
    verdict = verdict_of(estimate, metric.margin, more_is_better=metric.more_is_better)
    return Judged(metric.name, metric.unit, a, b, estimate, metric.margin, verdict)


def logs_of(of: Callable[[TrialRecord], float | None], pairs: Sequence[PairRecord]) -> list[float]:
    """log(B ÷ A) of a value in each pair; nothing unless every pair has it of both sides."""
    found = [(of(pair.a), of(pair.b)) for pair in pairs]
    known = [(a, b) for a, b in found if a and b]
    return [math.log(b / a) for a, b in known] if len(known) == len(found) else []


def _mebibytes(size_bytes: int | None) -> float | None:
    return None if size_bytes is None else size_bytes / 2**20
