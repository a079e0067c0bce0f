"""`bench ab`: two sides interleaved on this machine now, with a verdict on B."""

import math
import os
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import stdev
from typing import Any

from rich.console import Console
from rich.text import Text

from bench.display import result_console
from bench.errors import UsageError
from bench.execute.launchers import Launcher
from bench.execute.limits import Limits
from bench.guard.collect import Interrupted, collect_pairs
from bench.guard.judge import disturbance_of, log_ratio_of, undisturbed
from bench.guard.live import Start, run_pair
from bench.guard.result import Result, differences, foresight, least_sd, result_of, result_table
from bench.guard.side import Side, parse_side, trial_of
from bench.guard.trees import Workload, take_workload
from bench.measure.environment import read_environment, spoilers
from bench.plan.suite import parse_overrides
from bench.plan.support import machine_of, require_tensorflow
from bench.protocol import Prepare
from bench.report.further import for_markdown, for_terminal
from bench.store.noise import Noise, keep_noise, noise_sd, read_noise
from bench.store.pairs import (
    ComparisonRecord,
    ComparisonWriter,
    Mode,
    PairRecord,
    SideRecord,
    create_comparison,
    read_comparison,
)
from bench.store.record import Window
from bench.store.runs import write_atomically
from mnist_cnn.dataset import Dataset, DatasetError, load_dataset


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line asked for."""

    a: str
    b: str
    settings: list[str]
    margin: float
    pair_s: float
    in_turn: bool
    data: Path | None
    out: Path
    inconclusive_passes: bool
    quiet: bool = False


def compare_sides(request: Request) -> int:
    """Compare two sides live and print the verdict; returns the exit code. Raises UsageError for bad input."""
    console = result_console(quiet=request.quiet)
    environment = read_environment()
    with tempfile.TemporaryDirectory(prefix="bench-sides-") as scratch:
        prepared = _prepared(request, environment, Path(scratch))
        writer = create_comparison(request.out, prepared.comparison)
        _print_start(console, prepared.comparison, environment)
        try:
            _collect(prepared, writer, console)
        except (Interrupted, KeyboardInterrupt):
            print(f"Interrupted; what was measured is in {writer.folder}", file=sys.stderr)
            return 130
    stored = read_comparison(writer.folder)
    result = result_of(stored.comparison, stored.pairs)
    _remember(result, stored.pairs, environment)
    _report(console, result, writer.folder)
    return result.exit_code(request.inconclusive_passes)


@dataclass(frozen=True)
class _Prepared:
    comparison: ComparisonRecord
    sides: tuple[Side, Side]
    workloads: tuple[Workload, Workload]
    dataset: Dataset
    gpus: list[str]
    mode: Mode


def _prepared(request: Request, environment: dict[str, Any], scratch: Path) -> _Prepared:
    """All that can be wrong with the input is found here, before anything is written."""
    sides = parse_side(request.a), parse_side(request.b)
    common = {axis: values[0] for axis, values in parse_overrides(request.settings).items()}
    dataset = _checked_data(request.data)
    machine, images = machine_of(environment), len(dataset.train.labels)
    trials = [trial_of(side, name, common, machine, images) for side, name in zip(sides, "AB", strict=True)]
    require_tensorflow()
    workloads = take_workload(sides[0].tree, scratch / "a"), take_workload(sides[1].tree, scratch / "b")
    recorded, damage = read_noise(environment)
    print(*damage, sep="\n", end="\n" if damage else "", file=sys.stderr)
    records = [
        SideRecord(
            words=side.words,
            trial=trial,
            workload_origin=workload.origin,
            workload_sha256=workload.sha256,
            python=side.python,
            variables=dict(side.variables),
        )
        for side, trial, workload in zip(sides, trials, workloads, strict=True)
    ]
    comparison = ComparisonRecord(
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        a=records[0],
        b=records[1],
        margin=request.margin,
        pair_s=request.pair_s,
        noise_sd=noise_sd(recorded, trials[0].cell.cell_id),
        data=str(request.data.resolve()) if request.data else None,
        data_sha256=dataset.sha256,
        environment=environment,
    )
    in_turn = request.in_turn or _exclusive(environment, comparison)
    return _Prepared(comparison, sides, workloads, dataset, [], "in turn" if in_turn else "interleaved")


def _collect(prepared: _Prepared, writer: ComparisonWriter, console: Console) -> None:
    comparison = prepared.comparison

    def run(number: int, mode: Mode) -> PairRecord:
        starts = [_start(prepared, writer, place, number) for place in (0, 1)]
        return run_pair(
            (starts[0], starts[1]), number, mode=mode, seconds=comparison.pair_s, limits=Limits(), listener=_Silent()
        )

    def keep(pair: PairRecord) -> None:
        writer.pair(pair)
        console.print(Text(_line(pair)), soft_wrap=True)

    collect_pairs(run, mode=prepared.mode, margin=comparison.margin, least_sd=least_sd(comparison), keep=keep)


def _start(prepared: _Prepared, writer: ComparisonWriter, place: int, number: int) -> Start:
    record = (prepared.comparison.a, prepared.comparison.b)[place]
    side, workload = prepared.sides[place], prepared.workloads[place]
    path = os.pathsep.join(filter(None, [str(workload.path), os.environ.get("PYTHONPATH")]))
    launcher = Launcher(python=side.python, variables={**side.variables, "PYTHONPATH": path})
    trial = record.trial.model_copy(update={"repeat": number})
    log = writer.log(f"{number}-{'ab'[place]}")
    return Start(
        launch=partial(launcher, trial, log),
        trial=trial,
        prepare=Prepare(trial=trial, data=prepared.comparison.data, gpus=prepared.gpus),
        workload_sha256=workload.sha256,
        log=str(log.relative_to(writer.folder)),
    )


class _Silent:
    def window(self, window: Window) -> None:
        """A pair is told as a whole."""


def _line(pair: PairRecord) -> str:
    for name, side in (("A", pair.a), ("B", pair.b)):
        if side.status not in {"ok", "skipped"}:
            return f"pair {pair.number}: {name} ended in {side.status}: {side.reason}"
    left_out = "; ".join(disturbance_of(pair))
    return f"pair {pair.number}: B ÷ A {math.exp(log_ratio_of(pair)):.3f}{left_out and f' (left out: {left_out})'}"


def _exclusive(environment: dict[str, Any], comparison: ComparisonRecord) -> bool:
    """Whether a GPU takes one process at a time, so that both sides cannot live at once."""
    modes = {state["compute_mode"] for state in environment["gpu_states"]}
    on_gpu = "gpu" in {comparison.a.trial.cell.kind, comparison.b.trial.cell.kind}
    return on_gpu and "exclusive process" in modes


def _remember(result: Result, pairs: list[PairRecord], environment: dict[str, Any]) -> None:
    """Keep what identical sides have shown: the floor of later comparisons."""
    estimate = result.judged[0].estimate if result.judged else None
    if estimate is None or not result.comparison.identical or result.failure or result.verdict == "invalid":
        return
    values = [log_ratio_of(pair) for pair in undisturbed(pairs)]
    noise = Noise(
        created_utc=result.comparison.created_utc,
        cell_id=result.comparison.a.trial.cell.cell_id,
        pair_s=result.comparison.pair_s,
        pairs=len(values),
        sd=max(stdev(values), 1e-6),
    )
    with suppress(OSError):  # a machine that keeps nothing is none that cannot compare
        keep_noise(environment, noise)


def _report(console: Console, result: Result, folder: Path) -> None:
    table = result_table(result)
    console.print(for_terminal(table))
    report = folder / "report"
    report.mkdir(exist_ok=True)
    write_atomically(report / "summary.md", f"# B against A\n\n{for_markdown(table)}\n")
    console.print(f"Comparison: {folder}", markup=False, highlight=False, soft_wrap=True)


def _print_start(console: Console, comparison: ComparisonRecord, environment: dict[str, Any]) -> None:
    lines = [f"A: {comparison.a.words}", f"B: {comparison.b.words}"]
    lines += differences(comparison.a, comparison.b) or ["A and B are the same: what differs is noise"]
    lines += [foresight(comparison), *(f"Caution: {line}" for line in spoilers(environment))]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _checked_data(path: Path | None) -> Dataset:
    try:
        return load_dataset(path)
    except DatasetError as error:
        raise UsageError(f"--data {error}" if path else str(error)) from None
