"""Claims about diagnosis: a fault of known kind and measured size is named, and its size told."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import cast

from outcomes import Outcome, Verdict, small
from workers import LIMITS, Side, Start, worker, workers

from bench.execute.diagnosis import Rounds
from bench.measure.diagnosis import AS_IS, COSTS, WORTH_MENDING, Cost, Diagnosis, costs_of, diagnose, growth
from bench.measure.paired import Centre, centre_of
from bench.trial import Cell

BATCHES = (32, 64, 128, 256)
LEAST_STEP_S = 0.012
"""A dispatch takes about a millisecond: a step so long is bound by compute."""
KINDS = ("input", "dispatch", "compute")
PRODUCT_FLOPS = 2 * 256**3
WITHIN = 0.05
"""Of the clean step: how well a size is told, and how well that is to be known."""
NAMED_FROM = 0.2
"""Smaller faults are asked for their size only."""
FAULT_IN = "fault in "
NAME, SIZE = "its name", "its size"
"""How the claims of a fault begin, and how they end: by what is asked of it."""
SMALLEST = 0.05
"""Of the step: on a quiet machine two processes of one program differ by less. Where they differ by more, as some did,
a twin may fail though nothing was planted."""


@dataclass(frozen=True)
class Fault:
    """One that is planted: its kind, and about the share of a clean step that it is to add, or in words what it is."""

    kind: str
    share: float = 0.0
    told: str = ""
    number: int = 0
    """Which of several alike."""

    @property
    def claim(self) -> str:
        """How what is claimed of it begins."""
        return f"{FAULT_IN}{self.kind}, {self.told or f'+{100 * self.share:.0f} %'}"

    @property
    def cost(self) -> Cost:
        """Which cost it makes dearer; a clean twin's would show in compute."""
        return "compute" if self.kind == "none" else cast("Cost", self.kind)


CLEAN, TWIN = Fault("clean"), Fault("none")
"""What every fault stands beside, and a second one like it."""


def groups_of(counts: Mapping[float, int], of_each: int = 1) -> list[tuple[Fault, ...]]:
    """So many faults of each share, their kinds in turn, and in the first group a clean twin as well.

    A group has faults of one share, at most `of_each` of every kind.
    """
    size = of_each * len(KINDS)
    groups = list[tuple[Fault, ...]]()
    for share, count in counts.items():
        alike = [Fault(KINDS[place % len(KINDS)], share, number=place // len(KINDS)) for place in range(count)]
        groups += [tuple(alike[begun : begun + size]) for begun in range(0, count, size)]
    return [(TWIN, *groups[0]), *groups[1:]]


def amount_for(kind: str, share: float, clean_step_s: float, matmul_flops_per_s: float) -> float:
    """How large a fault makes a step slower by about `share`; what it really did is measured beside it."""
    if kind == "input":  # it hides behind the step up to the step's length; decoding itself takes under a millisecond
        return (1 + share) * clean_step_s - 0.0005
    if kind == "none":
        return 0.0
    if kind == "dispatch":
        return share * clean_step_s
    return max(1.0, round(share * clean_step_s * matmul_flops_per_s / PRODUCT_FLOPS))


def compute_bound_cell(scratch: Path) -> Cell:
    """The smallest batch whose step is long enough here, else the largest, by what an image takes in the smallest."""
    smallest = BATCHES[0]
    with worker(scratch, Cell(global_batch=smallest, epochs=0)) as side:
        image_s = min(side.step_s(40) for _ in range(3)) / smallest
    batch = next((batch for batch in BATCHES if batch * image_s >= LEAST_STEP_S), BATCHES[-1])
    return Cell(global_batch=batch, epochs=0)


def faults_are_recognised(
    scratch: Path, cell: Cell, planted: Sequence[Fault], looks: Sequence[int], matmul_flops_per_s: float
) -> list[Outcome]:
    """Diagnose faulty workers beside a clean one, all alive, in turn, and time their uninterrupted steps in between."""
    with worker(scratch, cell) as clean:
        # the middle and not the least: a late input hides behind steps as they are
        step_s = median(clean.step_s(40) for _ in range(5))
        starts = {
            fault: Start(cell, fault.kind, amount_for(fault.kind, fault.share, step_s, matmul_flops_per_s))
            for fault in planted
        }
        with workers(scratch, starts) as faulty:
            found = FaultRounds({CLEAN: clean, **faulty}, max(16, round(0.3 / step_s)))
            found.run(looks)
            return [outcome for fault in planted for outcome in outcomes_of(found, fault, len(looks))]


class FaultRounds:
    """Rounds over a clean worker and faulty ones: of each side a diagnosis and an uninterrupted step time."""

    def __init__(self, sides: Mapping[Fault, Side], steps: int):
        self._sides, self._steps, self._order = sides, steps, random.Random(0)  # noqa: S311  # an order, not a secret
        self._diagnoses = {
            fault: Rounds(side.session, LIMITS, steps=steps, run_in=side.run_in_steps) for fault, side in sides.items()
        }
        self.probed: dict[Fault, list[dict[str, float]]] = {fault: [] for fault in sides}
        self.step_s: dict[Fault, list[float]] = {fault: [] for fault in sides}
        for one in self._diagnoses.values():
            one.begin()

    @property
    def global_batch(self) -> int:
        """Images of a step of every side."""
        return self._sides[CLEAN].cell.global_batch

    def run(self, looks: Sequence[int]) -> None:
        """Run rounds until it is known, at a look, how wrongly the size of every fault is told, or to the last look."""
        for look in looks:
            for _ in range(look - len(self.step_s[CLEAN])):
                self._one()
            errors = [self.error(fault, len(looks)) for fault in self._sides if fault is not CLEAN]
            if all(small(error, WITHIN) != "unsure" for error in errors):
                break

    def _one(self) -> None:
        for fault in self._order.sample(list(self._sides), len(self._sides)):
            self.probed[fault].append(self._diagnoses[fault].one())
            self.step_s[fault].append(self._sides[fault].step_s(self._steps))

    def effects(self, fault: Fault) -> list[float]:
        """By how much a step is really longer than a clean one, as a share of that, in each round."""
        pairs = zip(self.step_s[CLEAN], self.step_s[fault], strict=True)
        return [slow_s / clean_s - 1 for clean_s, slow_s in pairs]

    def error(self, fault: Fault, looks: int) -> Centre:
        """How wrongly its size is told, taken within each round, as a share of the clean step."""
        told = [
            (costs_of(new)[fault.cost] - costs_of(old)[fault.cost]) / old[AS_IS]
            for old, new in zip(self.probed[CLEAN], self.probed[fault], strict=True)
        ]
        centre = centre_of([size - true for size, true in zip(told, self.effects(fault), strict=True)], 0.05 / looks)
        assert centre, "a look has enough rounds"
        return centre


def outcomes_of(found: FaultRounds, fault: Fault, looks: int) -> list[Outcome]:
    """Whether a fault's cause is named and its size told; of a clean twin, whether it differs in nothing."""
    after = found.probed[fault]
    truth, grown, diagnosis = centre_of(found.effects(fault)), growth(found.probed[CLEAN], after), diagnose(after)
    assert truth
    assert diagnosis
    named = max(COSTS, key=lambda cost: grown[cost].value)
    size = grown[named].value
    told = named if grown[named].low > 0 else "nothing"
    n = f"{len(after)} rounds, batch {found.global_batch}"
    effect = f"{_percent(truth.value)} ({_percent(truth.low)} to {_percent(truth.high)}) a step"
    if fault is TWIN:
        costs = [small(grown[cost], SMALLEST) for cost in COSTS]
        wrong = diagnosis.bound_by != "compute" or (told != "nothing" and size >= SMALLEST)
        verdict: Verdict = "FAILS" if wrong else "holds" if set(costs) == {"holds"} else "unsure"
        words = f"{told}, by {_percent(size)} at most; row: {diagnosis.bound_by}"
        return [Outcome("clean twins differ in nothing, to 5 %", effect, words, n, verdict)]
    words = f"{told}, {_percent(size)}; row: {diagnosis.bound_by}"
    name = Outcome(f"{fault.claim}: {NAME}", fault.kind, words, n, naming(fault.kind, told, diagnosis))
    error = found.error(fault, looks)
    off = f"off by {100 * error.value:+.1f} ({100 * error.low:+.1f} to {100 * error.high:+.1f}) points"
    of_size = Outcome(f"{fault.claim}: {SIZE}", effect, off, n, small(error, WITHIN))
    return [name, of_size] if fault.told or fault.share >= NAMED_FROM else [of_size]


def naming(kind: str, told: str, diagnosis: Diagnosis) -> Verdict:
    """Whether a fault's cause is named by what grew beside its twin and by the row itself.

    Unsure where one of them proves nothing: the row says `compute` then too, while the cause's share may be worth
    mending for all that it knows. Fails where either is wrong for certain.
    """
    if told == diagnosis.bound_by == kind:
        return "holds"
    share = diagnosis.shares[cast("Cost", kind)]
    unproven = diagnosis.bound_by == "compute" and share.low <= WORTH_MENDING <= share.high
    return "unsure" if told in {kind, "nothing"} and (diagnosis.bound_by == kind or unproven) else "FAILS"


def is_of_one(outcome: Outcome) -> bool:
    """Whether it says how one fault was recognised, to be summed up with the others."""
    return outcome.claim.startswith(FAULT_IN)


def summed_up(planted: Sequence[Fault], found: Sequence[Outcome]) -> list[Outcome]:
    """How many faults of each size were named rightly, and of how many the size was told; none asked, none summed."""
    outcomes = []
    claims = {
        NAME: ("the right cause is named", "what was done"),
        SIZE: ("told within 5 points", "a clean twin's step"),
    }
    for share in dict.fromkeys(fault.share for fault in planted if fault is not TWIN):
        tried = [fault for fault in planted if fault.share == share]
        begins = {fault.claim for fault in tried}
        for asked, (words, truth) in claims.items():
            if asked == NAME and share < NAMED_FROM:
                continue
            verdicts = [one.verdict for one in found if one.claim in {f"{begin}: {asked}" for begin in begins}]
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
