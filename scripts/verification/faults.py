"""Claims about diagnosis: a fault of known kind and measured size is named, and its size told."""

from pathlib import Path

from outcomes import Outcome, near, verdict_of
from workers import LIMITS, Side, worker

from bench.execute.diagnosis import Rounds
from bench.measure.diagnosis import AS_IS, COSTS, Cost, costs_of, diagnose, growth
from bench.measure.paired import Centre, centre_of
from bench.trial import Cell

CELL = Cell(global_batch=64, epochs=0)
KINDS = ("input", "dispatch", "compute")
PRODUCT_FLOPS = 2 * 512**3
WITHIN = 0.05
"""Of the clean step: how well a size is told, and how well that is to be known."""
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
    scratch: Path, kind: str, share: float, rounds: int, matmul_flops_per_s: float
) -> list[Outcome]:
    """Diagnose a faulty worker and its clean twin in turn, with their uninterrupted step times between the rounds."""
    with worker(scratch, CELL) as clean:
        step_s = min(clean.step_s(40) for _ in range(4))
        with worker(scratch, CELL, kind, amount_for(kind, share, step_s, matmul_flops_per_s)) as faulty:
            return [_recognise(clean, faulty, kind, share, rounds, max(16, round(0.3 / step_s)))]


def _recognise(clean: Side, faulty: Side, kind: str, share: float, rounds: int, steps: int) -> Outcome:
    sides = (clean, faulty)
    diagnoses = [Rounds(side.session, LIMITS, steps=steps, run_in=side.run_in_steps) for side in sides]
    for one in diagnoses:
        one.begin()
    effects, before, after = [], [], []
    error: Centre | None = None
    number = 0
    while number < rounds and not (error and error.half_width <= WITHIN):
        for place in (0, 1) if number % 2 else (1, 0):
            (before, after)[place].append(diagnoses[place].one())
        slow = [side.step_s(2 * steps) for side in (sides if number % 2 else sides[::-1])]
        clean_s, faulty_s = slow if number % 2 else slow[::-1]
        effects.append(faulty_s / clean_s - 1)
        number += 1
        error = _error(kind, before, after, effects)
    truth, grown, found = centre_of(effects), growth(before, after), diagnose(after)
    assert truth
    assert found
    named = max(COSTS, key=lambda cost: grown[cost].value)
    size = grown[named]
    if size.low <= 0:
        named = "nothing"
    n = f"{number} rounds"
    if kind == "none":
        return Outcome(
            "clean twins differ in nothing",
            f"{100 * truth.value:+.1f} % ({100 * truth.low:+.1f} to {100 * truth.high:+.1f})",
            f"{named}; row: {found.bound_by}",
            n,
            verdict_of(found.bound_by == "compute" and (named == "nothing" or size.value < SMALLEST)),
        )
    right = named == kind and (share < 0.2 or found.bound_by == kind)
    assert error
    return Outcome(
        f"fault in {kind}, +{100 * share:.0f} %",
        f"{kind}, {100 * truth.value:+.1f} % ({100 * truth.low:+.1f} to {100 * truth.high:+.1f})",
        f"{named}, {100 * size.value:+.1f} %; row: {found.bound_by}; off by {100 * error.value:+.1f} "
        f"({100 * error.low:+.1f} to {100 * error.high:+.1f}) points",
        n,
        near(error, 0, WITHIN) if right else "FAILS",
    )


def _error(
    kind: str, before: list[dict[str, float]], after: list[dict[str, float]], effects: list[float]
) -> Centre | None:
    """By how much the size of a fault is told wrongly, as a share of the clean step, taken within the rounds."""
    rounds = zip(before, after, effects, strict=True)
    cost: Cost = "compute" if kind == "none" else kind  # type: ignore[assignment]  # the kinds are costs
    told = [(costs_of(new)[cost] - costs_of(old)[cost]) / old[AS_IS] - effect for old, new, effect in rounds]
    return centre_of(told)
