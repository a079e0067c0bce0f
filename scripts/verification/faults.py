"""Claims about diagnosis: a fault of known kind and measured size is named, and its size told."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Literal, TypeVar, cast

from outcomes import Outcome, Verdict, small
from workers import LIMITS, Side, Start, worker, workers

from bench.execute.diagnosis import Rounds
from bench.measure.diagnosis import AS_IS, COSTS, WORTH_MENDING, Cost, Diagnosis, costs_of, diagnose, growth
from bench.measure.paired import Centre, centre_of
from bench.store.runs import write_atomically
from bench.trial import Cell

T = TypeVar("T")
UNINTERRUPTED: Literal["uninterrupted"] = "uninterrupted"
"""The ground truth among the windows of a round: steps of a window that the diagnosis has nothing of."""
BATCHES = (16, 32, 64, 128, 256)
LEAST_STEP_S = 0.012
"""A dispatch takes about a millisecond: a step so long is bound by compute."""
KINDS = ("input", "dispatch", "compute")
PRODUCTS = 20.0
"""In a step while what one takes is measured: about half a step of the smallest batch on a core of 80 GFLOP/s."""
WITHIN = 0.05
"""Of the clean step: how well a size is told, and how well that is to be known."""
LATEST = 9
"""Clean steps that the size of a fault is set by."""
WINDOW_S, FEWEST_STEPS = 0.1, 6
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


def planted(counts: Mapping[float, int]) -> list[Fault]:
    """So many faults of each share, their kinds in turn."""
    return [
        Fault(KINDS[place % len(KINDS)], share, number=place // len(KINDS))
        for share, count in counts.items()
        for place in range(count)
    ]


def amount_for(kind: str, share: float, clean_step_s: float, unit_s: float) -> float:
    """How large a fault makes a step slower by about `share`; what it really did is measured beside it.

    `unit_s` are the seconds that a batch takes beside its sleep, or that a second of sleep or a product adds to a step.
    """
    if kind == "input":  # it hides behind the step up to the step's length
        return max(0.0, (1 + share) * clean_step_s - unit_s)
    amount = share * clean_step_s / unit_s
    return max(1.0, round(amount)) if kind == "compute" else amount


def compute_bound_cell(scratch: Path) -> Cell:
    """The smallest batch whose step is long enough here, else the largest, by what an image takes in the smallest.

    On one thread: a step that waits for two has the noise of both CPUs.
    """
    cell = Cell(global_batch=BATCHES[0], epochs=0, cpu_threads=1)
    with worker(scratch, cell) as side:
        image_s = min(side.step_s(40) for _ in range(3)) / cell.global_batch
    batch = next((batch for batch in BATCHES if batch * image_s >= LEAST_STEP_S), BATCHES[-1])
    return cell.model_copy(update={"global_batch": batch})


@dataclass(frozen=True)
class Condition:
    """A worker as it is measured in a round; `begin` makes it so."""

    side: Side
    begin: Callable[[], None] = lambda: None


class Dial:
    """Turns the fault of a worker up and down: the file that it reads the size of its fault from."""

    def __init__(self, path: Path):
        self.path = path
        self.turn(0.0)

    def turn(self, amount: float) -> None:
        """Make the fault so large; 0 is none."""
        write_atomically(self.path, repr(float(amount)))


def faults_are_recognised(scratch: Path, cell: Cell, faults: Sequence[Fault], looks: Sequence[int]) -> list[Outcome]:
    """Diagnose a worker with each of some faults of one kind and without any in turn, and time its steps in between.

    One process is its own clean twin: two of one program differ by more than a size is to be told to.
    """
    dial, kind = Dial(scratch / "amount"), faults[0].kind
    with worker(scratch, cell, kind, dial.path) as side:
        first_s = [side.step_s(40) for _ in range(5)]
        unit_s = _unit_s(side, dial, kind, median(first_s))

        def turn(fault: Fault) -> None:
            # the middle and not the least: a late input hides behind steps as they are; the latest, for speed drifts
            done = len(found.probed[CLEAN])  # of whole rounds: in all windows of one a fault is as large
            step_s = median([*first_s, *found.step_s[CLEAN][:done]][-LATEST:])
            dial.turn(0.0 if fault is CLEAN else amount_for(kind, fault.share, step_s, unit_s))

        conditions = {fault: Condition(side, partial(turn, fault)) for fault in (CLEAN, *faults)}
        found = FaultRounds(conditions, steps_of(median(first_s)))
        found.run(looks)
        return [outcome for fault in faults for outcome in outcomes_of(found, fault, len(looks))]


def _unit_s(side: Side, dial: Dial, kind: str, clean_step_s: float) -> float:
    """What `amount_for` has to know of this worker, from a dose that is far above the noise."""
    dose = {"input": 2 * clean_step_s, "dispatch": clean_step_s}.get(kind, PRODUCTS)
    late_s, longer_s = [], []
    for _ in range(5):
        clean_s = side.step_s(20)
        dial.turn(dose)
        late_s.append(side.step_s(20))
        longer_s.append(late_s[-1] - clean_s)
        dial.turn(0.0)
    return median(late_s) - dose if kind == "input" else median(longer_s) / dose


def twins_are_alike(scratch: Path, cell: Cell, looks: Sequence[int]) -> list[Outcome]:
    """Diagnose two clean workers in turn: what a comparison of two processes shows though nothing was planted."""
    with workers(scratch, {CLEAN: Start(cell), TWIN: Start(cell)}) as sides:
        step_s = median(sides[CLEAN].step_s(40) for _ in range(5))
        found = FaultRounds({fault: Condition(side) for fault, side in sides.items()}, steps_of(step_s))
        found.run(looks)
        return outcomes_of(found, TWIN, len(looks))


def steps_of(step_s: float) -> int:
    """Steps of a window in a round: speed drifts, so that many short windows in turn tell more than few long ones."""
    return max(FEWEST_STEPS, round(WINDOW_S / step_s))


class FaultRounds:
    """Rounds over a clean condition and faulty ones: of each a diagnosis, and a window of its own."""

    def __init__(self, conditions: Mapping[Fault, Condition], steps: int):
        self._conditions, self._steps = conditions, steps
        self._order = random.Random(0)  # noqa: S311  # an order, not a secret
        sides = {condition.side for condition in conditions.values()}
        self._diagnoses = {side: Rounds(side.session, LIMITS, steps=steps, run_in=side.run_in_steps) for side in sides}
        self.probed: dict[Fault, list[dict[str, float]]] = {fault: [] for fault in conditions}
        self.step_s: dict[Fault, list[float]] = {fault: [] for fault in conditions}
        for one in self._diagnoses.values():
            one.begin()
            self._probes = one.sides

    @property
    def global_batch(self) -> int:
        """Images of a step of every side."""
        return self._conditions[CLEAN].side.cell.global_batch

    def run(self, looks: Sequence[int]) -> None:
        """Run rounds until it is known, at a look, how wrongly the size of every fault is told, or to the last look."""
        for look in looks:
            for _ in range(look - len(self.step_s[CLEAN])):
                self._one()
            errors = [self.error(fault, len(looks)) for fault in self._conditions if fault is not CLEAN]
            if all(small(error, WITHIN) != "unsure" for error in errors):
                break

    def _one(self) -> None:
        """One round; of each probe, windows of all conditions follow each other, for speed drifts within seconds."""
        now: dict[Fault, dict[str, float]] = {fault: {} for fault in self._conditions}
        for probe in self._shuffled([*self._probes, UNINTERRUPTED]):
            for fault in self._shuffled(self._conditions):
                condition = self._conditions[fault]
                condition.begin()
                if probe == UNINTERRUPTED:
                    self.step_s[fault].append(condition.side.step_s(self._steps))
                else:
                    now[fault][probe or AS_IS] = self._diagnoses[condition.side].step_s(probe)
        for fault, round_ in now.items():
            self.probed[fault].append(round_)

    def _shuffled(self, things: Iterable[T]) -> list[T]:
        every = list(things)
        return self._order.sample(every, len(every))

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
    effect = f"{percent(truth.value)} ({percent(truth.low)} to {percent(truth.high)}) a step"
    if fault is TWIN:
        costs = [small(grown[cost], SMALLEST) for cost in COSTS]
        wrong = diagnosis.bound_by != "compute" or (told != "nothing" and size >= SMALLEST)
        verdict: Verdict = "FAILS" if wrong else "holds" if set(costs) == {"holds"} else "unsure"
        words = f"{told}, by {percent(size)} at most; row: {diagnosis.bound_by}"
        return [Outcome("clean twins differ in nothing, to 5 %", effect, words, n, verdict)]
    words = f"{told}, {percent(size)}; row: {diagnosis.bound_by}"
    name = Outcome(f"{fault.claim}: {NAME}", fault.kind, words, n, naming(fault.kind, told, diagnosis))
    error = found.error(fault, looks)
    off = f"off by {100 * error.value:+.1f} ({100 * error.low:+.1f} to {100 * error.high:+.1f}) points"
    of_size = Outcome(f"{fault.claim}: {SIZE}", effect, off, n, small(error, WITHIN), error.value)
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


def percent(share: float, digits: int = 1) -> str:
    """A share with its sign, as it stands in tables."""
    return f"{100 * share:+.{digits}f} %"
