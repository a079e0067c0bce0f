"""What a live verdict was made from and what it was, in one line of JSON each: enough to judge it again by any rule."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import RootModel, ValidationError

from bench.guard.live.comparison import Rules, plan_comparison, run_comparison, take_workloads
from bench.guard.live.metrics import (
    MEAN,
    OTHER_METRICS,
    THROUGHPUT,
    disturbance_of,
    judge,
    log_ratio_of,
    logs_of,
    mean_throughput_of,
    timed_of,
    undisturbed,
)
from bench.guard.live.result import Result, known_of
from bench.guard.live.rule import LOOKS
from bench.guard.live.side import Side
from bench.guard.verdict import Verdict
from bench.plan.axes import Settings
from bench.store.pairs import ComparisonRecord, PairRecord, create_comparison, read_comparison
from bench.store.record import TrialRecord
from bench.store.runs import append_line

DIGITS = 5


@dataclass(frozen=True)
class PairTrace:
    """One pair: log(B ÷ A) of each metric, seconds it took, images/s of every window of A and of B, in order."""

    number: int
    mode: str
    first: str
    seconds: float
    disturbed: list[str]
    logs: dict[str, float]
    rates: tuple[list[float], list[float]]


@dataclass(frozen=True)
class Look:
    """What the metrics' verdicts were after so many pairs."""

    pairs: int
    verdicts: dict[str, Verdict]


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One live verdict; `kind` and `size` say what was planted in B, `seconds` is all that it took the user."""

    item: str
    kind: str
    size: float
    cell: str
    pair_s: float
    margin: float
    noise_sd: float | None
    seconds: float
    verdict: Verdict
    failure: str | None
    verdicts: dict[str, Verdict]
    looks: list[Look]
    pairs: list[PairTrace]
    accuracy: dict[str, float] = field(default_factory=dict)
    """Of test accuracy, as shares: `a`, `b`, `difference`, `low`, `high`; empty where it was not compared."""
    key: str = ""
    machine: str = ""
    utc: str = ""

    @property
    def used(self) -> list[PairTrace]:
        """The pairs that the verdict rests on."""
        return [pair for pair in self.pairs if pair.logs and not pair.disturbed and pair.mode == self.pairs[-1].mode]

    def values(self, metric: str = THROUGHPUT) -> list[float]:
        """log(B ÷ A) of a metric in each pair that counts; none unless all have it."""
        found = [pair.logs.get(metric) for pair in self.used]
        return [one for one in found if one is not None] if None not in found else []


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a planted slow-down did without the guard: seconds of a clean step and shares longer, a process each."""

    item: str
    step_s: list[float]
    shares: list[float]
    key: str = ""
    machine: str = ""
    utc: str = ""


Taken = Trace | Measured


@dataclass(frozen=True)
class Request:
    """One verdict to be taken: what is planted, both sides, the cell and how it is compared."""

    item: str
    kind: str
    size: float
    sides: tuple[Side, Side]
    settings: Settings
    rules: Rules


def take(request: Request, environment: dict[str, Any], scratch: Path) -> Trace:
    """Take one verdict as `bench ab` does; raises Interrupted where the user ended it."""
    began = time.monotonic()
    into = scratch / request.item.replace(" ", "-")
    workloads = take_workloads(request.sides, into)
    comparison = plan_comparison(request.sides, workloads, request.settings, request.rules, environment)
    writer = create_comparison(into, comparison.record)
    result = run_comparison(comparison, writer, lambda _: None)
    seconds = time.monotonic() - began
    return trace_of(request, read_comparison(writer.folder).pairs, result, seconds)


def trace_of(request: Request, pairs: Sequence[PairRecord], result: Result, seconds: float) -> Trace:
    """The line that is kept of a comparison."""
    record = result.comparison
    told = {} if result.accuracy is None else vars(result.accuracy)
    return Trace(
        item=request.item,
        kind=request.kind,
        size=request.size,
        cell=record.a.trial.cell.label,
        pair_s=record.pair_s,
        margin=record.margin,
        noise_sd=record.noise.sd if record.noise else None,
        seconds=round(seconds, 1),
        verdict=result.verdict,
        failure=result.failure,
        verdicts=result.verdicts,
        looks=_looks(record, pairs),
        pairs=[_pair(pair) for pair in pairs],
        accuracy={name: round(told[name], DIGITS) for name in ("a", "b", "difference", "low", "high") if name in told},
    )


def _looks(record: ComparisonRecord, pairs: Sequence[PairRecord]) -> list[Look]:
    valid = undisturbed([pair for pair in pairs if pair.mode == pairs[-1].mode])
    counts = [count for count in LOOKS if count <= len(valid)]
    judged = [
        (count, judge(valid[:count], record.margin, known_of(record, pairs[-1].mode, valid[:count])))
        for count in counts
    ]
    return [Look(count, {one.name: one.verdict for one in found}) for count, found in judged]


def _pair(pair: PairRecord) -> PairTrace:
    ran = pair.a.status == pair.b.status == "ok"
    return PairTrace(
        number=pair.number,
        mode=pair.mode,
        first=pair.first,
        seconds=round(pair.conditions_after.clock_s - pair.conditions_before.clock_s, 2),
        disturbed=disturbance_of(pair),
        logs=_logs(pair) if ran else {},
        rates=(_rates(pair.a), _rates(pair.b)),
    )


def _logs(pair: PairRecord) -> dict[str, float]:
    values = {MEAN: mean_throughput_of} | {metric.name: metric.of for metric in OTHER_METRICS}
    found = {THROUGHPUT: [log_ratio_of(pair)]} | {name: logs_of(of, [pair]) for name, of in values.items()}
    return {name: round(logs[0], 6) for name, logs in found.items() if logs}


def _rates(side: TrialRecord) -> list[float]:
    batch = side.trial.cell.global_batch
    return [float(f"{window.steps * batch / window.window_s:.{DIGITS}g}") for window in timed_of(side)]


def in_a_line(one: Taken) -> str:
    """What was found, for who watches."""
    if isinstance(one, Measured):
        shares = ", ".join(f"{100 * share:+.2f} %" for share in one.shares)
        return f"{1000 * one.step_s[0]:.1f} ms a step, longer by {shares} in {len(one.shares)} pairs of processes"
    verdicts = ", ".join(f"{name} {verdict}" for name, verdict in one.verdicts.items())
    ratios = " ".join(f"{math.exp(value):.3f}" for value in one.values())
    return f"{one.failure or one.verdict} in {one.seconds:.0f} s: {verdicts}; B ÷ A {ratios}"


class Lines:
    """A file of what was taken, a JSON line each; `found` has the first of each item with this key.

    Verdicts of any machine count, each by what its own machine can see; measurements of a step only where they are of
    this one.
    """

    def __init__(self, path: Path, key: str, machine: str):
        self._path, self._key, self._machine = path, key, machine
        of_key = [one for one in read(path) if one.key == key]
        own = [one for one in of_key if isinstance(one, Trace) or one.machine == machine]
        self.found: dict[str, Taken] = {one.item: one for one in reversed(own)}

    def keep(self, one: Taken) -> None:
        """Add one; it is on the disk when this returns."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        kept = type(one)(**{**vars(one), "key": self._key, "machine": self._machine, "utc": now})
        append_line(self._path, RootModel[Taken](kept).model_dump_json())
        self.found.setdefault(one.item, kept)


def first_of(taken: Sequence[Taken], key: str) -> list[Taken]:
    """What was taken with a key: the first verdict of each item, and the first measurement of it on each machine.

    Taking one again until it is as one would have it would prove nothing.
    """
    of_key = reversed([one for one in taken if one.key == key])
    found = {(one.item, "" if isinstance(one, Trace) else one.machine): one for one in of_key}
    return sorted(found.values(), key=lambda one: one.utc)


def read(path: Path) -> list[Taken]:
    """All that a file holds, oldest first; a line that a crash tore is passed over, and taken again."""
    found = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            found.append(RootModel[Taken].model_validate_json(line).root)
        except ValidationError:
            continue
    return found
