"""A live comparison from two sides to stored pairs: copies of their code, workers, windows, noise kept for later."""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import stdev
from typing import Any

from bench.execute.conduct import conduct
from bench.execute.launchers import Launcher
from bench.execute.limits import Limits
from bench.guard.live.accuracy import FEWEST_SEEDS
from bench.guard.live.collect import Interrupted, collect_pairs
from bench.guard.live.metrics import failure_of, log_ratio_of, undisturbed
from bench.guard.live.pair import Start, run_pair
from bench.guard.live.result import Result, known_of, result_of
from bench.guard.live.side import Side, trial_of
from bench.guard.live.trees import Workload, take_workload
from bench.plan.data import checked_data
from bench.plan.suite import Settings
from bench.plan.support import machine_of, require_tensorflow
from bench.protocol import Prepare
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
from bench.store.record import Window
from bench.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How to compare: the margin, the seconds of windows in a pair, and whether sides never live at once.

    With `accuracy_epochs` both sides are also trained for so many, from each of `seeds` seeds.
    """

    margin: float
    pair_s: float
    in_turn: bool = False
    data: Path | None = None
    accuracy_epochs: int = 0
    seeds: int = FEWEST_SEEDS


@dataclass(frozen=True)
class Comparison:
    """Two sides that can be compared here, ready to be run as often as wanted."""

    record: ComparisonRecord
    workloads: tuple[Workload, Workload]
    mode: Mode
    rules: Rules

    def pair(self, writer: ComparisonWriter, number: int, mode: Mode) -> PairRecord:
        """Run one pair of fresh processes; `number` and the comparison seed its order."""
        starts = self.start(writer, 0, number), self.start(writer, 1, number)
        return run_pair(
            starts,
            number,
            seed=self.record.created_utc,
            mode=mode,
            seconds=self.record.pair_s,
            limits=Limits(),
            listener=_Silent(),
        )

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
            prepare=Prepare(trial=trial, data=self.record.data),
            workload_sha256=workload.sha256,
            log=str(log.relative_to(writer.folder)),
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
    record = ComparisonRecord(
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        a=a,
        b=b,
        margin=rules.margin,
        pair_s=rules.pair_s,
        noise=pooled(recorded, a.trial.cell.cell_id),
        data=str(rules.data.resolve()) if rules.data else None,
        data_sha256=dataset.sha256,
        environment=environment,
    )
    alone = rules.in_turn or _exclusive(environment, record)
    return Comparison(record, workloads, "in turn" if alone else "interleaved", rules)


def run_comparison(comparison: Comparison, writer: ComparisonWriter, told: Callable[[PairRecord], None]) -> Result:
    """Run pairs until the verdict is clear, and judge what is then stored. Raises Interrupted."""
    record = comparison.record

    def keep(pair: PairRecord) -> None:
        writer.pair(pair)
        told(pair)

    run = partial(comparison.pair, writer)
    pairs = collect_pairs(run, mode=comparison.mode, margin=record.margin, known=known_of(record), keep=keep)
    if comparison.rules.accuracy_epochs and not failure_of(pairs):
        _train_both(comparison, writer)
    stored = read_comparison(writer.folder)
    result = result_of(stored.comparison, stored.pairs, stored.accuracies)
    _remember(result, stored.pairs)
    return result


def _train_both(comparison: Comparison, writer: ComparisonWriter) -> None:
    """Train both sides from every seed, one after the other: nothing is timed here."""
    for seed in range(comparison.rules.seeds):
        records = [
            conduct(
                start.launch(),
                start.trial,
                limits=Limits(communication=False),
                listener=_Silent(),
                log=start.log,
                data=start.prepare.data,
            )
            for start in (comparison.start(writer, place, 0, seed) for place in (0, 1))
        ]
        writer.accuracy(AccuracyRecord(seed=seed, a=records[0], b=records[1]))
        if "interrupted" in {record.status for record in records}:
            raise Interrupted


class _Silent:
    def window(self, window: Window) -> None:
        """A pair is told as a whole."""


def _exclusive(environment: Mapping[str, Any], record: ComparisonRecord) -> bool:
    """Whether a GPU takes one process at a time, so that both sides cannot live at once."""
    modes = {state["compute_mode"] for state in environment["gpu_states"]}
    return "gpu" in {record.a.trial.cell.kind, record.b.trial.cell.kind} and "exclusive process" in modes


def _remember(result: Result, pairs: list[PairRecord]) -> None:
    """Keep what identical sides have shown: the floor of later comparisons."""
    record, estimate = result.comparison, result.judged[0].estimate if result.judged else None
    if estimate is None or not record.identical or result.failure or result.baseless or result.verdict == "invalid":
        return
    values = [log_ratio_of(pair) for pair in undisturbed(pairs)]
    cell_id, sd = record.a.trial.cell.cell_id, max(stdev(values), 1e-6)
    noise = Noise(created_utc=record.created_utc, cell_id=cell_id, pair_s=record.pair_s, pairs=len(values), sd=sd)
    with suppress(OSError):  # a machine that keeps nothing can compare all the same
        keep_noise(record.environment, noise)
