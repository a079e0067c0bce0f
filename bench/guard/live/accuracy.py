"""Whether B has lost accuracy: a non-inferiority test over paired seeds, apart from any timing.

Both sides train the same epochs from the same seeds. d is B's test accuracy less A's; its one-sided bounds are
Student's over seeds. B is not inferior where the lower bound lies above minus the margin, and has regressed where the
upper bound lies below it (Walker & Nowacki 2011, "Understanding equivalence and noninferiority testing"). With fewer
than five seeds no test of signs could ever reach 5 %, so no fewer are taken.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy.special import stdtrit  # scipy.stats would cost half a second of every start

from bench.guard.verdict import Verdict
from bench.store.pairs import AccuracyRecord
from bench.store.record import TrialRecord

FEWEST_SEEDS = 5
ALPHA = 0.05
MARGIN = 0.005
"""Share of test images: half a point."""
LEAST_SD = 0.001
"""Of a difference of two accuracies: 10,000 test images at 99 % have a binomial deviation of 0.001 each."""


@dataclass(frozen=True)
class AccuracyJudged:
    """Mean test accuracy of both sides, B less A with its one-sided bounds, as shares, and what follows."""

    a: float
    b: float
    difference: float
    low: float
    high: float
    seeds: int
    margin: float
    verdict: Verdict
    name: str = "test accuracy"


def final_accuracy(record: TrialRecord) -> float | None:
    """Test accuracy after the last epoch, where all that were asked are done."""
    done = len(record.epochs) == record.trial.cell.epochs and record.status == "ok"
    return record.epochs[-1].test_accuracy if done and record.epochs else None


def judge_accuracy(records: Sequence[AccuracyRecord], margin: float = MARGIN) -> AccuracyJudged | None:
    """The verdict over all seeds that both sides finished; None under five of them."""
    found = [(final_accuracy(one.a), final_accuracy(one.b)) for one in records]
    known = [(a, b) for a, b in found if a is not None and b is not None]
    count = len(known)
    if count < FEWEST_SEEDS:
        return None
    differences = [b - a for a, b in known]
    centre, sd = fmean(differences), max(stdev(differences), LEAST_SD)
    reach = float(stdtrit(count - 1, 1 - ALPHA)) * sd / math.sqrt(count)
    low, high = centre - reach, centre + reach
    verdict: Verdict = "regressed" if high < -margin else "unchanged" if low > -margin else "inconclusive"
    if low > margin:
        verdict = "improved"
    a, b = (fmean(side) for side in zip(*known, strict=True))
    return AccuracyJudged(a, b, centre, low, high, count, margin, verdict)
