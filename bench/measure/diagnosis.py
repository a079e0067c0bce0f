"""What bounds a cell: each cost's share of the step, from windows that do without one cost after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from bench.measure.paired import Centre, centre_of, fewest

Cost = Literal["input", "dispatch", "communication", "compute"]
COSTS: tuple[Cost, ...] = ("input", "dispatch", "communication", "compute")
AS_IS = "as_is"
ROUNDS = (12, 24, 48)
"""Only here is it asked whether the shares are known well enough; each look may err with a third of 5 %."""
_ALPHA = 0.05 / len(ROUNDS)
FEWEST_ROUNDS = fewest(_ALPHA)
"""Fewer say nothing."""
TARGET = 0.02
"""Half width of every share's interval, of the step, that ends a diagnosis."""
WORTH_MENDING = 0.10
"""An avoidable cost of less than a tenth of the step bounds nothing: the rest is compute."""

Round = Mapping[str, float]
"""Seconds per step of the trial as it is (`as_is`) and of each probe, run in a shuffled order."""


@dataclass(frozen=True)
class Diagnosis:
    """Shares of the step time that each cost takes, with 95 % intervals, and what bounds the cell."""

    bound_by: Cost
    shares: dict[Cost, Centre]
    rounds: int
    input_first: bool = False
    """Whether the input's share is of the trial's own engine, not of the fused one."""


def costs_of(one: Round) -> dict[Cost, float]:
    """Seconds per step of each cost in one round.

    The probes take away one cost each. Under `step` first that of the input (`step_resident`), then that of
    dispatching every step (`resident`, which is fused). Elsewhere, and in older files, first that of dispatch
    (`fused`), then that of the input (`resident`): dispatch that hides behind a late input is told as the input's
    there. `communication` runs the all-reduce alone. What a cell has no probe for costs it nothing. A cost that
    hides behind another, such as an input that is ready before the step that needs it, rightly costs 0.
    """
    as_is, communication = one[AS_IS], one.get("communication", 0.0)
    if _input_first(one):
        stepped, resident = one["step_resident"], one["resident"]
        costs: dict[Cost, float] = {"input": as_is - stepped, "dispatch": stepped - resident}
    else:
        fused = one.get("fused", as_is)
        resident = one.get("resident", fused)
        costs = {"input": fused - resident, "dispatch": as_is - fused}
    return costs | {"communication": communication, "compute": resident - communication}


def _input_first(one: Round) -> bool:
    """Whether the input was taken away under the trial's own engine."""
    return "step_resident" in one and "resident" in one


def diagnose(rounds: Sequence[Round]) -> Diagnosis | None:
    """The diagnosis of some rounds; None under 7 of them.

    `bound_by` is the cost whose removal gains most, of input, dispatch and communication, if that gain is proven and
    is a tenth of the step or more, else compute. A round's shares are taken within the round, where machine noise is
    shared; the centre over rounds is Hodges-Lehmann's. Looked at several times, so each look errs less.
    """
    if len(rounds) < FEWEST_ROUNDS:
        return None
    by_round = [{cost: seconds / one[AS_IS] for cost, seconds in costs_of(one).items()} for one in rounds]
    shares: dict[Cost, Centre] = {}
    for cost in COSTS:
        centre = centre_of([share[cost] for share in by_round], _ALPHA)
        assert centre is not None, "there are enough rounds"
        shares[cost] = centre
    input_first = all(map(_input_first, rounds))
    return Diagnosis(_bound(shares, input_first=input_first), shares, len(rounds), input_first)


def _bound(shares: Mapping[Cost, Centre], *, input_first: bool) -> Cost:
    """The cost whose removal gains most, where that is proven and worth mending.

    Where the input's share is told from two fused windows, the trial as it is may not be fused: what fusing costs it
    (a negative share of dispatch) it does not win by an input that is free, so that counts against the input. Taken
    from the centre over rounds, since the lesser of two noisy figures of one round is too low on average. Where the
    input is taken away first, and is worth mending, what dispatch costs hides behind it, and gains nothing by itself.
    """
    lost_by_fusing = 0.0 if input_first else min(0.0, shares["dispatch"].value)
    gains = {cost: (shares[cost].value, shares[cost].low) for cost in COSTS if cost != "compute"}
    gains["input"] = shares["input"].value + lost_by_fusing, shares["input"].low + lost_by_fusing
    if input_first and _worth_mending(*gains["input"]):
        gains["dispatch"] = 0.0, 0.0
    avoidable = max(gains, key=lambda cost: gains[cost])
    return avoidable if _worth_mending(*gains[avoidable]) else "compute"


def _worth_mending(value: float, low: float) -> bool:
    """Whether a gain is a tenth of the step or more, and proven."""
    return low > 0 and value >= WORTH_MENDING


def combined(diagnoses: Sequence[Diagnosis]) -> Diagnosis | None:
    """One diagnosis of several processes: the median of each share, and an interval that holds all of theirs.

    Rounds of one process say nothing of the next one, so the interval never shrinks with their number. None of none.
    """
    if not diagnoses:
        return None
    shares: dict[Cost, Centre] = {}
    for cost in COSTS:
        found = [one.shares[cost] for one in diagnoses]
        low, high = min(one.low for one in found), max(one.high for one in found)
        shares[cost] = Centre(median(one.value for one in found), low, high)
    input_first = all(one.input_first for one in diagnoses)
    return Diagnosis(_bound(shares, input_first=input_first), shares, sum(one.rounds for one in diagnoses), input_first)


def well_known(rounds: Sequence[Round]) -> bool:
    """Whether to end: the last look, or an interval of every share within the target; asked after every round."""
    if len(rounds) not in ROUNDS:
        return False
    found = diagnose(rounds)
    narrow = found is not None and all(share.half_width <= TARGET for share in found.shares.values())
    return narrow or len(rounds) == ROUNDS[-1]


def growth(before: Sequence[Round], after: Sequence[Round]) -> dict[Cost, Centre]:
    """How much dearer each cost became between two trials whose rounds were run in turn, as shares of the step before.

    Rounds are taken in pairs. Empty under 6 of them.
    """
    pairs = [(costs_of(old), costs_of(new), old[AS_IS]) for old, new in zip(before, after, strict=True)]
    grown = {cost: centre_of([(new[cost] - old[cost]) / step_s for old, new, step_s in pairs]) for cost in COSTS}
    return {cost: centre for cost, centre in grown.items() if centre is not None}
