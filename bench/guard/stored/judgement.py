"""A stored run judged by others, in the form that every output is made from."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.guard.stored.ground import ground_of
from bench.guard.stored.judge import Judged, Margins, judge, unmeasured
from bench.guard.stored.rule import FEWEST_RUNS
from bench.guard.verdict import WORST_FIRST, Inconclusive, Verdict, exit_code
from bench.report.text import named
from bench.store.baselines import RunFigures
from bench.trial import Cell


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The verdicts on a run; `why_not` says why there are none.

    `differ` are lines on what differs between the runs, `told` those on which of them count and what else is to be
    said.
    """

    name: str
    margins: Margins
    judged: Sequence[Judged] = ()
    told: Sequence[str] = ()
    differ: Sequence[str] = ()
    why_not: str | None = None

    def exit_code(self, inconclusive: Inconclusive) -> int:
        """As the design has them: 4 without a verdict."""
        return exit_code((one.verdict for one in self.judged), inconclusive)

    @property
    def by_cell(self) -> dict[Cell, list[Judged]]:
        """The verdicts on each cell, in the order of the run."""
        found: dict[Cell, list[Judged]] = {}
        for one in self.judged:
            found.setdefault(one.cell, []).append(one)
        return found


def worst(judged: Sequence[Judged]) -> Verdict:
    """One word for the verdicts on a cell."""
    return min((one.verdict for one in judged), key=WORST_FIRST.index)


def judgement_of(
    run: RunFigures,
    baseline: Sequence[RunFigures],
    margins: Margins,
    *,
    other_code: bool,
    whole: bool = False,
    differ: Sequence[str] = (),
    left_out: Sequence[str] = (),
) -> Judgement:
    """Judge a run by those of the baseline that it may be held against; `left_out` are lines on runs beside these.

    Where it must be `whole`, as a gate asks, a cell that it lacks or did not get to is inconclusive.
    """
    ground = ground_of(run, baseline, other_code=other_code)
    told = [*left_out, *ground.told]
    if len(ground.runs) < FEWEST_RUNS:
        why = f"a verdict takes {FEWEST_RUNS} baseline runs, there are {len(ground.runs)}"
        return Judgement(name=run.name, margins=margins, told=told, differ=differ, why_not=why)
    mine = {one.cell.cell_id for one in run.cells}
    ok = [one.cell for each in ground.runs for one in each.cells if one.status == "ok"]
    if missing := sorted({cell.label for cell in ok if cell.cell_id not in mine}):
        told.append(f"in the baseline, not in this run: {named(missing)}")
    judged = judge(run, ground.runs, margins)
    if whole and {one.verdict for one in judged} - {"not comparable"}:  # else nothing is, which is told as it is
        missed = unmeasured(run, ground.runs)
        lost = {one.cell.cell_id for one in missed}
        judged = [*(one for one in judged if one.cell.cell_id not in lost), *missed]
    return Judgement(name=run.name, margins=margins, judged=judged, told=told, differ=differ)
