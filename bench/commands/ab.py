"""`bench ab`: two sides interleaved on this machine now, with a verdict on B."""

import math
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from bench.commands.where import refuse_busy_gpus
from bench.display import result_console, say
from bench.execute.scheduler import Interrupted
from bench.guard.live.comparison import Comparison, Rules, plan_comparison, run_comparison, take_workloads
from bench.guard.live.metrics import disturbance_of, log_ratio_of
from bench.guard.live.result import Result, differences, foresight, result_table
from bench.guard.live.side import one_value_each, parse_side
from bench.guard.verdict import Inconclusive
from bench.measure.environment import read_environment, spoilers
from bench.report.further import for_markdown, for_terminal
from bench.store.pairs import PairRecord, create_comparison
from bench.store.runs import write_atomically


@dataclass(frozen=True, kw_only=True)
class LiveRequest:
    """What the command line may ask for wherever two sides are compared live."""

    settings: list[str]
    rules: Rules
    out: Path
    inconclusive: Inconclusive
    allow_busy: bool


@dataclass(frozen=True, kw_only=True)
class Request(LiveRequest):
    """What `bench ab` was asked for."""

    a: str
    b: str


def compare_sides(request: Request) -> int:
    """Compare two sides live and print the verdict; returns the exit code. Raises UsageError for bad input."""
    console, environment = result_console(), read_environment()
    sides = parse_side(request.a), parse_side(request.b)
    common = one_value_each(request.settings, "--set")
    with tempfile.TemporaryDirectory(prefix="bench-sides-") as scratch:
        comparison = plan_comparison(sides, take_workloads(sides, Path(scratch)), common, request.rules, environment)
        if not request.allow_busy:
            refuse_busy_gpus([comparison.record.a.trial, comparison.record.b.trial], environment)
        writer = create_comparison(request.out, comparison.record)
        print_start(console, comparison, environment)
        try:
            result = run_comparison(comparison, writer, lambda pair: print_pair(console, pair))
        except (Interrupted, KeyboardInterrupt):
            print(f"Interrupted; what was measured is in {writer.folder}", file=sys.stderr)
            return 130
    write_summary(result, writer.folder)
    table = result_table(result)
    if table.lines:
        console.print(for_terminal(table))
    else:
        say(console, *table.told)
    console.print(f"Comparison: {writer.folder}", markup=False, highlight=False, soft_wrap=True)
    return result.exit_code(request.inconclusive)


def print_start(console: Console, comparison: Comparison, environment: dict[str, Any]) -> None:
    """What is compared and how, what can be seen, and what may spoil it."""
    record, why = comparison.record, comparison.why_in_turn
    lines = [f"A: {record.a.words}", f"B: {record.b.words}"]
    lines += differences(record.a, record.b) or ["A and B are the same: what differs is noise"]
    lines += [f"Whole processes take turns: {why}"] if why else []
    lines += [foresight(record, comparison.mode), *(f"Caution: {line}" for line in spoilers(environment))]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def print_pair(console: Console, pair: PairRecord) -> None:
    """One pair in one line."""
    console.print(Text(_line(pair)), soft_wrap=True)


def _line(pair: PairRecord) -> str:
    for name, side in (("A", pair.a), ("B", pair.b)):
        if side.status not in {"ok", "skipped"}:
            return f"pair {pair.number}: {name} ended in {side.status}: {side.reason}"
    left_out = "; ".join(disturbance_of(pair))
    return f"pair {pair.number}: B ÷ A {math.exp(log_ratio_of(pair)):.3f}{left_out and f' (left out: {left_out})'}"


def write_summary(result: Result, folder: Path) -> None:
    """The verdicts as Markdown, in the comparison's report/."""
    report = folder / "report"
    report.mkdir(exist_ok=True)
    write_atomically(report / "summary.md", f"# B against A\n\n{for_markdown(result_table(result))}\n")
