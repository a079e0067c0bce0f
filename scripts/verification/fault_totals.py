"""All faults together: how many were named and told rightly, and by how much their sizes are off in the mean."""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev

from faults import FAULT_IN, NAME, NAMED_FROM, SIZE, WITHIN, Fault, percent
from outcomes import Outcome, Verdict, within
from scipy.stats import t as student_t

from bench.measure.paired import Centre

FEWEST_FOR_A_MEAN = 5
"""Faults of one kind and size; the interval of fewer is too wide to tell anything."""


def is_of_one(outcome: Outcome) -> bool:
    """Whether it says how one fault was recognised, to be summed up with the others."""
    return outcome.claim.startswith(FAULT_IN)


def summed_up(planted: Sequence[Fault], found: Sequence[Outcome]) -> list[Outcome]:
    """How many faults of each size were named rightly, and of how many the size was told; none asked, none summed.

    And by how much the sizes of each kind are off in the mean: what each by itself is too little known to show.
    """
    outcomes = []
    for share in dict.fromkeys(fault.share for fault in planted):
        tried = [fault for fault in planted if fault.share == share]
        if share >= NAMED_FROM:
            outcomes.append(_counted(tried, found, NAME, "the right cause is named", "what was done"))
        outcomes.append(_counted(tried, found, SIZE, "told within 5 points", "its effect on windows of its own"))
        kinds = {fault.claim: fault.kind for fault in tried}
        for claim, kind in kinds.items():
            errors = [one.value for one in _answers([claim], found, SIZE) if one.value is not None]
            if len(errors) >= FEWEST_FOR_A_MEAN:
                outcomes.append(_in_the_mean(f"faults of {percent(share, 0)} in {kind}", errors))
    return outcomes


def _answers(claims: Iterable[str], found: Sequence[Outcome], asked: str) -> list[Outcome]:
    whole = {f"{claim}: {asked}" for claim in claims}
    return [one for one in found if one.claim in whole]


def _counted(tried: Sequence[Fault], found: Sequence[Outcome], asked: str, words: str, truth: str) -> Outcome:
    verdicts = [one.verdict for one in _answers({fault.claim for fault in tried}, found, asked)]
    held = verdicts.count("holds")
    lost = len(verdicts) < len(tried) or "FAILS" in verdicts  # one that was not measured has no such claim
    verdict: Verdict = "FAILS" if lost else "holds" if held == len(tried) else "unsure"
    claim = f"faults of {percent(tried[0].share, 0)}, {asked}: {words}"
    undecided = f", {verdicts.count('unsure')} undecided" if "unsure" in verdicts else ""
    return Outcome(claim, truth, f"{held} of {len(tried)} shown{undecided}", f"{len(tried)} faults", verdict)


def _in_the_mean(which: str, errors: Sequence[float]) -> Outcome:
    """Their mean with Student's interval, which must lie within what a single size may be off by."""
    mean, count = fmean(errors), len(errors)
    half = float(student_t.ppf(0.975, count - 1)) * stdev(errors) / math.sqrt(count)
    off = f"off by {100 * mean:+.1f} ({100 * (mean - half):+.1f} to {100 * (mean + half):+.1f}) points in the mean"
    claim = f"{which}, their sizes: no common error beyond 5 points"
    verdict = within(Centre(mean, mean - half, mean + half), -WITHIN, WITHIN)
    return Outcome(claim, "their effects on windows of their own", off, f"{count} faults", verdict)
