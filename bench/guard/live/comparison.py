"""A live comparison from two sides to stored pairs: copies of their code, workers, windows, noise kept for later."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import stdev
from typing import Any

from bench.errors import UsageError
from bench.execute.conduct import conduct
from bench.execute.launchers import Launcher
from bench.execute.limits import Limits
from bench.execute.scheduler import Interrupted
from bench.execute.windows import PortTaken
from bench.guard.live.accuracy import FEWEST_SEEDS
from bench.guard.live.collect import collect_pairs
from bench.guard.live.live_side import Start, other_code
from bench.guard.live.metrics import failure_of, log_ratio_of, undisturbed
from bench.guard.live.pair import run_pair
from bench.guard.live.result import Result, known_of, result_of
from bench.guard.live.side import Side, trial_of
from bench.guard.live.trees import Workload, take_workload
from bench.measure.stopping import TURNS_PER_WINDOW
from bench.plan.axes import Settings
from bench.plan.data import checked_data
from bench.plan.support import machine_of, own_gpus, require_tensorflow
from bench.protocol.commands import Prepare
from bench.store.noise import Noise, keep_noise, pooled, read_noise
from bench.store.pairs import (
    AccuracyRecord,
    ComparisonRecord,
    ComparisonWriter,
    Mode,
    PairRecord,
    SideRecord,
    read_comparison,
)
from bench.store.record import TrialRecord
from bench.store.windows import Window
from bench.trial import Cell, Trial

MOST_STARTS = 3
"""Of a pair whose ports are taken, as of a trial."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How to compare: the margin, the most seconds of windows in a pair, and whether sides never live at once.

    With `accuracy_epochs` both sides are also trained for so many, from each of `seeds` seeds from `first_seed` on.
    """

    margin: float
    pair_s: float
    in_turn: bool = False
    data: Path | None = None
    accuracy_epochs: int = 0
    seeds: int = FEWEST_SEEDS
    first_seed: int = 0


@dataclass(frozen=True)
class Comparison:
    """Two sides that can be compared here, ready to be run as often as wanted."""

    record: ComparisonRecord
    workloads: tuple[Workload, Workload]
    mode: Mode
    rules: Rules
    why_in_turn: str | None = None

    def pair(self, writer: ComparisonWriter, number: int, mode: Mode) -> PairRecord:
        """Run one pair of fresh processes; `number` and the comparison seed its order."""
        run = partial(
            run_pair,
            number=number,
            seed=self.record.created_utc,
            mode=mode,
            seconds=self.record.pair_s,
            precision=self.record.margin,
            limits=Limits(),
            listener=_Silent(),
        )
        for _ in range(MOST_STARTS - 1):
            with suppress(PortTaken):
                return run((self.start(writer, 0, number), self.start(writer, 1, number)))
        return run((self.start(writer, 0, number), self.start(writer, 1, number)), last=True)

    def again(self) -> "Comparison":
        """The same with other seeds: a loss of accuracy that is found twice is then more than a few seeds' own."""
        return replace(self, rules=replace(self.rules, first_seed=self.rules.first_seed + self.rules.seeds))

    def start(self, writer: ComparisonWriter, place: int, number: int, seed: int | None = None) -> Start:
        """How one side begins: in a pair of a number, or with a seed to be trained for its accuracy."""
        side, workload = (self.record.a, self.record.b)[place], self.workloads[place]
        path = os.pathsep.join(filter(None, [str(workload.path), os.environ.get("PYTHONPATH")]))
        launcher = Launcher(python=side.python, variables={**side.variables, "PYTHONPATH": path})
        trial, name = side.trial.model_copy(update={"repeat": number}), f"{number}-{'ab'[place]}"
        if seed is not None:
            cell = side.trial.cell.model_copy(update={"epochs": self.rules.accuracy_epochs})
            trial, name = Trial(cell=cell, seed=seed), f"seed{seed}-{'ab'[place]}"
        log = writer.log(name)
        return Start(
            launch=partial(launcher, trial, log),
            trial=trial,
            prepare=Prepare(
                trial=trial,
                data=self.record.data,
                gpus=own_gpus(trial.cell, machine_of(self.record.environment)),
            ),
            workload_sha256=workload.sha256,
            log=str(log.relative_to(writer.folder)),
            data_sha256=self.record.data_sha256,
        )


def take_workloads(sides: tuple[Side, Side], scratch: Path) -> tuple[Workload, Workload]:
    """Copies of the code of both sides."""
    return take_workload(sides[0].tree, scratch / "a"), take_workload(sides[1].tree, scratch / "b")


def plan_comparison(
    sides: tuple[Side, Side],
    workloads: tuple[Workload, Workload],
    common: Settings,
    rules: Rules,
    environment: dict[str, Any],
) -> Comparison:
    """Find all that can be wrong with the input before anything runs; raises UsageError."""
    dataset = checked_data(rules.data)
    machine, images = machine_of(environment), len(dataset.train.labels)
    trials = [trial_of(side, name, common, machine, images) for side, name in zip(sides, "AB", strict=True)]
    if rules.accuracy_epochs and "synthetic" in {trial.cell.input for trial in trials}:
        raise UsageError(
            "--accuracy: input=synthetic is one batch over and over, from which nothing is learned; use real"
        )
    if sys.executable in {side.python for side in sides}:
        require_tensorflow()
    recorded, damage = read_noise(environment)
    print(*damage, sep="\n", end="\n" if damage else "", file=sys.stderr)
    a, b = (
        SideRecord(
            words=side.words,
            trial=trial,
            workload_origin=workload.origin,
            workload_sha256=workload.sha256,
            python=side.python,
            variables=dict(side.variables),
        )
        for side, trial, workload in zip(sides, trials, workloads, strict=True)
    )
    why = _why_in_turn([trial.cell for trial in trials], rules, environment)
    mode: Mode = "in turn" if why else "interleaved"
    record = ComparisonRecord(
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        a=a,
        b=b,
        margin=rules.margin,
        pair_s=rules.pair_s,
        noise=pooled(recorded, a.trial.cell.cell_id, mode, rules.pair_s, rules.margin),
        data=str(rules.data.resolve()) if rules.data else None,
        data_sha256=dataset.sha256,
        environment=environment,
    )
    return Comparison(record, workloads, mode, rules, why)


def run_comparison(comparison: Comparison, writer: ComparisonWriter, told: Callable[[PairRecord], None]) -> Result:
    """Run pairs until the verdict is clear, and judge what is then stored. Raises Interrupted."""
    record = comparison.record

    def keep(pair: PairRecord) -> None:
        writer.pair(pair)
        told(pair)

    run, known = partial(comparison.pair, writer), partial(known_of, record)
    pairs = collect_pairs(run, mode=comparison.mode, margin=record.margin, known=known, keep=keep)
    if comparison.rules.accuracy_epochs and not failure_of(pairs):
        _train_both(comparison, writer)
    stored = read_comparison(writer.folder)
    print(*stored.damage, sep="\n", end="\n" if stored.damage else "", file=sys.stderr)
    result = result_of(stored.comparison, stored.pairs, stored.accuracies)
    _remember(result, stored.pairs)
    return result


def _train_both(comparison: Comparison, writer: ComparisonWriter) -> None:
    """Train both sides from every seed, one after the other, until one fails: nothing is timed here."""
    first = comparison.rules.first_seed
    for seed in range(first, first + comparison.rules.seeds):
        a, b = comparison.start(writer, 0, 0, seed), comparison.start(writer, 1, 0, seed)
        own = _trained(a)
        failed = own.status != "ok"
        second = TrialRecord(trial=b.trial, status="skipped", reason="the other side failed") if failed else _trained(b)
        writer.accuracy(AccuracyRecord(seed=seed, a=own, b=second))
        if "interrupted" in {own.status, second.status}:
            raise Interrupted
        if {own.status, second.status} != {"ok"}:
            return


def _trained(start: Start) -> TrialRecord:
    """One side trained for all its epochs; other code than the side's is no result."""
    record = conduct(
        start.launch(),
        start.trial,
        limits=Limits(communication=False),
        listener=_Silent(),
        log=start.log,
        data=start.prepare.data,
        data_sha256=start.data_sha256,
        gpus=start.prepare.gpus,
    )
    wrong = other_code(record.workload, start.workload_sha256) if record.status == "ok" else None
    return record.model_copy(update={"status": "invalid", "reason": wrong}) if wrong else record


class _Silent:
    def window(self, window: Window) -> None:
        """A pair is told as a whole."""


def _why_in_turn(cells: Sequence[Cell], rules: Rules, environment: Mapping[str, Any]) -> str | None:
    """Why both sides cannot live at once, or None."""
    own = {uuid for cell in cells for uuid in own_gpus(cell, machine_of(environment))}
    modes = {state["compute_mode"] for state in environment["gpu_states"] if not own or state["uuid"] in own}
    reasons = {
        "as was asked": rules.in_turn,
        "its GPU is in the compute mode exclusive process": (
            "gpu" in {cell.kind for cell in cells} and "exclusive process" in modes
        ),
        "workers of parameter_server compute on while nobody asks": any(cell.asynchronous for cell in cells),
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


def _remember(result: Result, pairs: list[PairRecord]) -> None:
    """Keep what identical sides have shown, which later comparisons take to be known of this unit."""
    record, estimate = result.comparison, result.judged[0].estimate if result.judged else None
    if estimate is None or not record.identical or result.failure or result.baseless or result.verdict == "invalid":
        return
    values = [log_ratio_of(pair) for pair in undisturbed([pair for pair in pairs if pair.mode == result.mode])]
    cell_id, sd = record.a.trial.cell.cell_id, max(stdev(values), 1e-6)
    noise = Noise(
        created_utc=record.created_utc,
        cell_id=cell_id,
        mode=result.mode,
        pair_s=record.pair_s,
        precision=record.margin,
        turns_per_window=TURNS_PER_WINDOW,
        pairs=len(values),
        sd=sd,
    )
    with suppress(OSError):  # a machine that keeps nothing can compare all the same
        keep_noise(record.environment, noise)
