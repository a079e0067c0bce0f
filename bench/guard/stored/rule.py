"""The rule for stored runs: one run against 5 or more of the same unit, whose spread between runs is the noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy.special import stdtr, stdtrit  # scipy.stats would cost half a second of every start

from bench.guard.verdict import Verdict, holm
from bench.measure.statistics import CONFIDENCE

FEWEST_RUNS = 5
ALPHA = 1 - CONFIDENCE


@dataclass(frozen=True)
class Shift:
    """How far a run lies off its baseline, on a scale where 0 is none and more is better, with what is known of it.

    `error` is the standard error of `value`; `spread` the standard deviation between runs, not below its floor.
    """

    value: float
    error: float
    spread: float
    runs: int

    @property
    def degrees(self) -> int:
        """Of freedom."""
        return self.runs - 1

    def reach(self, alpha: float = ALPHA) -> float:
        """The half width of the two-sided interval at an error of `alpha`."""
        return float(stdtrit(self.degrees, 1 - alpha / 2)) * self.error

    def p_below(self, bound: float) -> float:
        """The p-value of the one-sided test that shows it to lie below a bound."""
        return float(stdtr(self.degrees, (self.value - bound) / self.error))

    def p_above(self, bound: float) -> float:
        """The p-value of the one-sided test that shows it to lie above a bound."""
        return float(stdtr(self.degrees, (bound - self.value) / self.error))


def shift_of(
    run: float, baseline: Sequence[float], *, floor: float, fewer: float = 1.0, own_error: float = 0.0
) -> Shift:
    """The distance of a run from the mean of two or more baseline runs, as a prediction interval takes it.

    With the standard deviation s of n runs, the error is s √(1 / n + 1): the mean's, and one more run's own (Hahn &
    Meeker 1991, "Statistical Intervals", 4.7), with n - 1 degrees of freedom. s is taken for `floor` where it is less:
    runs that agree by chance, or to the last byte, are no proof that none will ever differ. A run of fewer processes
    varies more than theirs, at most by their ratio `fewer` in variance; nor is it known better than its own windows
    tell, `own_error`.
    """
    spread, count = max(stdev(baseline), floor), len(baseline)
    own = max(spread * math.sqrt(max(fewer, 1.0)), own_error)
    return Shift(run - fmean(baseline), math.hypot(spread / math.sqrt(count), own), spread, count)


def verdicts(shifts: Sequence[Shift], margins: Sequence[float], *, two_sided: Sequence[bool]) -> list[Verdict]:
    """One verdict for each shift, all of which are judged together.

    Regressed: it lies below -margin, improved: above it, each at 2.5 % after Holm's correction over all shifts and both
    directions of each by its smaller p-value; for a single one that is the whole 95 % interval beyond the margin.
    Unchanged: inside ±margin by two one-sided tests at 5 % (Schuirmann 1987, "A comparison of the two one-sided tests
    procedure and the power approach"), or, where not `two_sided`, above -margin by one of them (non-inferiority).
    """
    below = [shift.p_below(-margin) for shift, margin in zip(shifts, margins, strict=True)]
    above = [shift.p_above(margin) for shift, margin in zip(shifts, margins, strict=True)]
    proven = [p <= ALPHA / 2 for p in holm([min(pair) for pair in zip(below, above, strict=True)])]
    found: list[Verdict] = []
    for place, shift in enumerate(shifts):
        worse, better = shift.p_above(-margins[place]) <= ALPHA, shift.p_below(margins[place]) <= ALPHA
        if proven[place]:
            found.append("regressed" if below[place] < above[place] else "improved")
        else:
            found.append("unchanged" if worse and (better or not two_sided[place]) else "inconclusive")
    return found
