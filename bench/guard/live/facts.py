"""A gate for programs: `guard.json`, and with it the schema of a verdict."""

from collections.abc import Sequence

from bench.guard.facts import Facts
from bench.guard.live.accuracy import AccuracyJudged
from bench.guard.live.gate import Checked
from bench.guard.live.result import Result
from bench.guard.verdict import Verdict
from bench.store.pairs import Mode, SideRecord


class MetricFacts(Facts):
    """One metric: the median of each side, B ÷ A with its lower and upper bound, and the margin as a share."""

    metric: str
    unit: str
    a: float
    b: float
    ratio: tuple[float, float, float] | None
    margin: float
    verdict: Verdict


class SideFacts(Facts):
    """A side: the words that it was asked for with, and the `mnist_cnn` that it trained."""

    words: str
    workload_origin: str
    workload_sha256: str


class ComparisonFacts(Facts):
    """One comparison: `failure` says why B has no verdict, `baseless` why A is nothing to compare with."""

    a: SideFacts
    b: SideFacts
    verdict: Verdict
    failure: str | None
    baseless: str | None
    pairs: int
    mode: Mode
    disturbed: list[str]
    metrics: list[MetricFacts]
    accuracy: AccuracyJudged | None


class CellFacts(Facts):
    """One cell: its verdict, the comparison that it comes from, and the second one of a cell that was flagged.

    Where an interrupt left no time for the second, it is `unconfirmed`, and its verdict fails nobody.
    """

    cell: str
    verdict: Verdict
    failure: str | None
    first: ComparisonFacts
    again: ComparisonFacts | None
    unconfirmed: bool = False


class GuardFacts(Facts):
    """Every metric of every cell, the first and the second time; all verdicts are on B, the head.

    After an interrupt `not_measured` names the cells that it left no time for.
    """

    exit_code: int
    cells: list[CellFacts]
    not_measured: tuple[str, ...] = ()


def facts_of(checked: Sequence[Checked], exit_code: int, left: Sequence[str] = ()) -> GuardFacts:
    """What `guard.json` holds."""
    return GuardFacts(exit_code=exit_code, cells=[_cell(one) for one in checked], not_measured=tuple(left))


def _cell(one: Checked) -> CellFacts:
    return CellFacts(
        cell=one.cell,
        verdict=one.verdict,
        failure=one.failure,
        first=_comparison(one.first),
        again=_comparison(one.again) if one.again else None,
        unconfirmed=one.unconfirmed,
    )


def _comparison(result: Result) -> ComparisonFacts:
    metrics = [
        MetricFacts(
            metric=one.name,
            unit=one.unit,
            a=one.a,
            b=one.b,
            ratio=one.estimate.ratio if one.estimate else None,
            margin=one.margin,
            verdict=one.verdict,
        )
        for one in result.judged
    ]
    return ComparisonFacts(
        a=_side(result.comparison.a),
        b=_side(result.comparison.b),
        verdict=result.verdict,
        failure=result.failure,
        baseless=result.baseless,
        pairs=result.pairs,
        mode=result.mode,
        disturbed=result.disturbed,
        metrics=metrics,
        accuracy=result.accuracy,
    )


def _side(side: SideRecord) -> SideFacts:
    return SideFacts(words=side.words, workload_origin=side.workload_origin, workload_sha256=side.workload_sha256)
