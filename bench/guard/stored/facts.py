"""A gate by stored runs for programs: what `guard.json` holds where no side was measured."""

from bench.guard.facts import Facts
from bench.guard.stored.judge import Judged
from bench.guard.stored.judgement import Judgement, worst
from bench.guard.verdict import Verdict


class FigureFacts(Facts):
    """One figure of a cell: the mean of so many baseline runs, this run's, and how far off that is.

    `change` has its lower and upper bound behind it: shares of the baseline, or of the test images. `shows_from` is
    about the least change for the worse that would have shown.
    """

    figure: str
    verdict: Verdict
    reason: str
    baseline_runs: int
    baseline: float | None
    this_run: float | None
    change: tuple[float, float, float] | None
    spread_between_runs: float | None
    shows_from: float | None


class JudgedCellFacts(Facts):
    """One cell of the run: the worst of its verdicts, and every one."""

    cell: str
    cell_id: str
    verdict: Verdict
    figures: list[FigureFacts]


class JudgementFacts(Facts):
    """A stored run judged by others: every figure of every cell; `not_comparable` says why there is no verdict."""

    exit_code: int
    run: str
    not_comparable: str | None
    told: list[str]
    cells: list[JudgedCellFacts]


def facts_of(judgement: Judgement, exit_code: int) -> JudgementFacts:
    """What `guard.json` holds."""
    return JudgementFacts(
        exit_code=exit_code,
        run=judgement.name,
        not_comparable=judgement.why_not,
        told=list(judgement.told),
        cells=[
            JudgedCellFacts(
                cell=cell.label, cell_id=cell.cell_id, verdict=worst(judged), figures=[*map(_figure, judged)]
            )
            for cell, judged in judgement.by_cell.items()
        ],
    )


def _figure(one: Judged) -> FigureFacts:
    bounds = None if one.change is None or one.interval is None else (one.change, one.interval.low, one.interval.high)
    return FigureFacts(
        figure=one.figure.name,
        verdict=one.verdict,
        reason=one.reason,
        baseline_runs=one.runs,
        baseline=one.baseline,
        this_run=one.value,
        change=bounds,
        spread_between_runs=one.spread,
        shows_from=one.shows,
    )
