"""One stored run judged against others of the same exact unit, cell by cell and figure by figure."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from bench.guard.stored.rule import FEWEST_RUNS, Shift, shift_of, verdicts
from bench.guard.verdict import Verdict
from bench.measure.statistics import Interval
from bench.store.baselines import CellFigures, RunFigures
from bench.trial import Cell, Status

_MISSING: frozenset[Status] = frozenset({"unsupported", "skipped", "interrupted"})
"""How a trial ends that says nothing about its cell; the other ways that are not ok are failures."""


@dataclass(frozen=True)
class Margins:
    """What a change must exceed to be one: shares of throughput and memory, and of test images."""

    throughput: float = 0.02
    memory: float = 0.05
    accuracy: float = 0.01


@dataclass(frozen=True)
class Figure:
    """One thing that is judged. `relative`: by its ratio; `floor` is the least spread between runs to believe in.

    `samples` are how many it is an average of; `sign` is -1 where more is worse. `two_sided`: unchanged takes proof in
    both directions, else that it is not worse.
    """

    name: str
    of: Callable[[CellFigures], float | None]
    floor: float
    samples: Callable[[CellFigures], int]
    relative: bool = True
    sign: int = 1
    two_sided: bool = True


@dataclass(frozen=True)
class Judged:
    """A verdict on one figure of one cell, with its ground; None where there is none.

    `change` and its interval are shares, of the baseline where the figure is `relative`; `shows` is about the least
    change for the worse that this comparison could have shown.
    """

    cell: Cell
    figure: Figure
    verdict: Verdict
    reason: str = ""
    runs: int = 0
    baseline: float | None = None
    value: float | None = None
    change: float | None = None
    interval: Interval | None = None
    spread: float | None = None
    shows: float | None = None


def _memory(one: CellFigures) -> float | None:
    return one.peak_device_memory_bytes if one.cell.kind == "gpu" else one.peak_host_memory_bytes


# 0.2 % is where rustc-perf stops to believe in quiet; allocators round up; 5 of 10,000 images
THROUGHPUT = Figure("images/s", lambda one: one.throughput_images_per_s, 0.002, lambda one: one.processes)
MEMORY = Figure("memory", _memory, 0.005, lambda _: 1, sign=-1)
ACCURACY = Figure(
    "test accuracy",
    lambda one: one.test_accuracy,
    0.0005,
    lambda one: len(one.seeds),
    relative=False,
    two_sided=False,
)


def judge(run: RunFigures, baseline: Sequence[RunFigures], margins: Margins) -> list[Judged]:
    """A verdict on every figure of every cell of the run; what cannot be judged says why."""
    margin_of = {THROUGHPUT: margins.throughput, MEMORY: margins.memory, ACCURACY: margins.accuracy}
    found: list[Judged] = []
    shifts: dict[int, Shift] = {}
    for one in run.cells:
        others = [other for each in baseline for other in each.cells if other.cell.cell_id == one.cell.cell_id]
        known = [other for other in others if other.status == "ok"]
        for figure in margin_of:
            judged, shift = _look(figure, one, known)
            if judged is None:
                continue
            if shift is not None:
                shifts[len(found)] = shift
            found.append(judged)
    limits = [_limit(found[place].figure, margin_of[found[place].figure]) for place in shifts]
    words = verdicts(list(shifts.values()), limits, two_sided=[found[place].figure.two_sided for place in shifts])
    for place, limit, word in zip(shifts, limits, words, strict=True):
        found[place] = _decided(found[place], shifts[place], limit, word)
    return found


def unmeasured(run: RunFigures, baseline: Sequence[RunFigures]) -> list[Judged]:
    """What a verdict could have been given on, had the run measured it: inconclusive, a cell each."""
    measured = {one.cell.cell_id for one in run.cells if one.status not in _MISSING}
    known = [one.cell for each in baseline for one in each.cells if one.status == "ok"]
    counts = Counter(cell.cell_id for cell in known)
    missed = {cell.cell_id: cell for cell in known if cell.cell_id not in measured}
    reason = "the baseline measured it, and this run did not"
    return [
        Judged(cell, THROUGHPUT, "inconclusive", reason, runs=counts[cell_id])
        for cell_id, cell in missed.items()
        if counts[cell_id] >= FEWEST_RUNS
    ]


def _limit(figure: Figure, margin: float) -> float:
    """A margin on the scale of the shift: of a ratio its logarithm, so that twice and half are as far off."""
    return math.log1p(margin) if figure.relative else margin


def _look(figure: Figure, one: CellFigures, known: Sequence[CellFigures]) -> tuple[Judged | None, Shift | None]:
    """What is known of one figure before it is judged; nothing at all where nobody measured it."""
    values = [value for other in known if (value := figure.of(other)) is not None]
    value, runs = figure.of(one) if one.status == "ok" else None, len(values)
    if value is None and (figure is not THROUGHPUT and (one.status != "ok" or not values)):
        return None, None
    blank = Judged(one.cell, figure, "not comparable", runs=runs, value=value)
    if one.status in _MISSING:
        return replace(blank, reason=f"it is {one.status} in this run"), None
    if runs < FEWEST_RUNS:
        return replace(blank, reason=f"it takes {FEWEST_RUNS} baseline runs that measured it, there are {runs}"), None
    if one.status != "ok":
        return replace(
            blank, verdict="invalid", reason=f"it ended with {one.status}, and did not in the baseline"
        ), None
    if value is None:
        verdict: Verdict = "invalid" if figure is THROUGHPUT else "not comparable"
        return replace(blank, verdict=verdict, reason="this run did not measure it, the baseline did"), None
    scaled = [figure.sign * _scale(figure, each) for each in (value, *values)]
    own, largest = figure.samples(one), max(figure.samples(other) for other in known)
    shift = shift_of(
        scaled[0],
        scaled[1:],
        floor=figure.floor,
        fewer=largest / own if own else 1.0,
        own_error=one.log_error or 0.0 if figure is THROUGHPUT else 0.0,
    )
    return replace(blank, baseline=_unscaled(figure, fmean(scaled[1:]))), shift


def _scale(figure: Figure, value: float) -> float:
    return math.log(value) if figure.relative else value


def _unscaled(figure: Figure, value: float) -> float:
    return math.exp(figure.sign * value) if figure.relative else figure.sign * value


def _decided(judged: Judged, shift: Shift, limit: float, word: Verdict) -> Judged:
    figure, reach = judged.figure, shift.reach()
    bounds = sorted(_share(figure, shift.value + side) for side in (-reach, reach))
    return replace(
        judged,
        verdict=word,
        reason=_doubt(shift.value, reach, limit) if word == "inconclusive" else "",
        change=_share(figure, shift.value),
        interval=Interval(*bounds),
        spread=shift.spread,
        shows=abs(_share(figure, -(limit + reach))),
    )


def _doubt(value: float, reach: float, limit: float) -> str:
    """Why nothing is certain."""
    if abs(value) - reach > limit:
        return "beyond the margin, but not once it is allowed for how many figures were looked at"
    return "the spread between runs hides it: it takes more baseline runs, or more repeats in every run"


def _share(figure: Figure, shift: float) -> float:
    """A shift as the share by which the figure itself differs."""
    return math.expm1(figure.sign * shift) if figure.relative else figure.sign * shift
