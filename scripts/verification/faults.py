"""Claims about diagnosis: a fault of known kind and measured size is named, and its size told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from outcomes import Outcome, Verdict, small, until_known, verdict_of
from workers import LIMITS, Side, worker

from bench.execute.diagnosis import Rounds
from bench.measure.diagnosis import AS_IS, COSTS, Cost, costs_of, diagnose, growth
from bench.measure.paired import Centre, centre_of
from bench.trial import Cell

CELL = Cell(global_batch=32, epochs=0)
KINDS = ("input", "dispatch", "compute")
PRODUCT_FLOPS = 2 * 256**3
WITHIN = 0.05
"""Of the clean step: how well a size is told, and how well that is to be known."""
NAMED_FROM = 0.2
"""Smaller faults are asked for their size only."""
NAME, SIZE = "its name", "its size"
"""What is asked of a fault: how its claims end."""
SMALLEST = 0.05
"""Of the step: what two processes of one program differ by is no fault."""


def amount_for(kind: str, share: float, clean_step_s: float, matmul_flops_per_s: float) -> float:
    """How large a fault makes a step slower by about `share`; what it really did is measured beside it."""
    if kind == "input":  # it hides behind the step up to the step's length; decoding itself takes under a millisecond
        return (1 + share) * clean_step_s - 0.0005
    if kind == "none":
        return 0.0
    if kind == "dispatch":
        return share * clean_step_s
    return max(1.0, round(share * clean_step_s * matmul_flops_per_s / PRODUCT_FLOPS))


def fault_is_recognised(
    scratch: Path, kind: str, share: float, looks: tuple[int, ...], matmul_flops_per_s: float
) -> list[Outcome]:
    """Diagnose a faulty worker and its clean twin in turn, with their uninterrupted step times between the rounds."""
    with worker(scratch, CELL) as clean:
        step_s = min(clean.step_s(40) for _ in range(4))
        with worker(scratch, CELL, kind, amount_for(kind, share, step_s, matmul_flops_per_s)) as faulty:
            found = _Rounds("compute" if kind == "none" else cast("Cost", kind))
            error, _ = found.run((clean, faulty), looks, max(16, round(0.3 / step_s)))
            return _outcomes(found, error, kind, share)


@dataclass
class _Rounds:
    """Rounds over a clean worker and its faulty twin: diagnoses, and uninterrupted step times in between."""

    kind: Cost
    before: list[dict[str, float]] = field(default_factory=list)
    after: list[dict[str, float]] = field(default_factory=list)
    effects: list[float] = field(default_factory=list)

    def run(self, sides: tuple[Side, Side], looks: tuple[int, ...], steps: int) -> tuple[Centre, int]:
        """Run rounds, in alternating order, until it is known how wrongly the size of the fault is told.

        That error is taken within each round, as a share of the clean step.
        """
        diagnoses = [Rounds(side.session, LIMITS, steps=steps, run_in=side.run_in_steps) for side in sides]
        for one in diagnoses:
            one.begin()

        def error() -> float:
            slow_s = {}
            for place in (0, 1) if len(self.effects) % 2 else (1, 0):
                (self.before, self.after)[place].append(diagnoses[place].one())
                slow_s[place] = sides[place].step_s(steps)
            self.effects.append(slow_s[1] / slow_s[0] - 1)
            old, new = self.before[-1], self.after[-1]
            return (costs_of(new)[self.kind] - costs_of(old)[self.kind]) / old[AS_IS] - self.effects[-1]

        return until_known(error, lambda centre: small(centre, WITHIN), looks)


def _outcomes(found: _Rounds, error: Centre, kind: str, share: float) -> list[Outcome]:
    truth, grown, diagnosis = centre_of(found.effects), growth(found.before, found.after), diagnose(found.after)
    assert truth
    assert diagnosis
    named = max(COSTS, key=lambda cost: grown[cost].value)
    size = grown[named].value
    told = named if grown[named].low > 0 else "nothing"
    n = f"{len(found.effects)} rounds"
    effect = f"{_percent(truth.value)} ({_percent(truth.low)} to {_percent(truth.high)}) a step"
    if kind == "none":
        clean = diagnosis.bound_by == "compute" and (told == "nothing" or size < SMALLEST)
        words = f"{told}; row: {diagnosis.bound_by}"
        return [Outcome("clean twins differ in nothing", effect, words, n, verdict_of(clean))]
    claim = f"fault in {kind}, +{100 * share:.0f} %"
    words = f"{told}, {_percent(size)}; row: {diagnosis.bound_by}"
    right = told == kind and diagnosis.bound_by == kind
    name = Outcome(f"{claim}: {NAME}", kind, words, n, verdict_of(right))
    off = f"off by {100 * error.value:+.1f} ({100 * error.low:+.1f} to {100 * error.high:+.1f}) points"
    of_size = Outcome(f"{claim}: {SIZE}", effect, off, n, small(error, WITHIN))
    return [name, of_size] if share >= NAMED_FROM else [of_size]


def summed_up(share: float, tried: Sequence[Sequence[Outcome]]) -> list[Outcome]:
    """How many faults of one size were named rightly, and of how many the size was told; none asked, none summed."""
    outcomes = []
    claims = {
        NAME: ("the right cause is named", "what was done"),
        SIZE: ("told within 5 points", "a clean twin's step"),
    }
    for asked, (words, truth) in claims.items():
        if not tried or (asked == NAME and share < NAMED_FROM):
            continue
        verdicts = [one.verdict for found in tried for one in found if one.claim.endswith(asked)]
        held = verdicts.count("holds")
        lost = len(verdicts) < len(tried) or "FAILS" in verdicts  # one that was not measured has no such claim
        verdict: Verdict = "FAILS" if lost else "holds" if held == len(tried) else "unsure"
        claim = f"faults of +{100 * share:.0f} %, {asked}: {words}"
        undecided = f", {verdicts.count('unsure')} undecided" if "unsure" in verdicts else ""
        measured = f"{held} of {len(tried)} shown{undecided}"
        outcomes.append(Outcome(claim, truth, measured, f"{len(tried)} faults", verdict))
    return outcomes


def _percent(share: float) -> str:
    return f"{100 * share:+.1f} %"
