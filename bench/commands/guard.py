"""`bench guard`: a gate for CI. Base against head, cell by cell, interleaved on this machine now."""

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from bench.commands.ab import LiveRequest, print_pair, print_start, write_summary
from bench.commands.compare import Judging, compare_runs
from bench.commands.where import refuse_busy_gpus
from bench.display import result_console, warn
from bench.errors import UsageError
from bench.execute.scheduler import Interrupted
from bench.guard.live.comparison import plan_comparison, run_comparison, take_workloads
from bench.guard.live.gate import Checked, check, exit_code_of
from bench.guard.live.outputs import annotations, as_json, as_junit, as_markdown, told_of
from bench.guard.live.result import Result
from bench.guard.live.side import AS_IS, Side, one_value_each, parse_side
from bench.guard.stored.judge import Margins
from bench.measure.environment import read_environment
from bench.store.pairs import create_comparison
from bench.store.runs import create_folder, write_atomically

_MOST_SUMMARY_BYTES = 1_000_000
"""GitHub takes 1 MiB of summary from a step, and drops all of it beyond."""


@dataclass(frozen=True, kw_only=True)
class Request(LiveRequest):
    """What `bench guard` was asked for."""

    base: list[str]
    head: str
    cells: list[str]


def guard_against(request: Request) -> int:
    """Judge head against base, live or by stored runs; returns the exit code. Raises UsageError for bad input."""
    runs = [is_run(Path(words)) for words in request.base]
    if any(runs):
        return _guard_runs(request, all(runs))
    if len(request.base) > 1:
        raise UsageError("--base: give one revision or folder, or the folders of 5 runs or more")
    return _guard_live(request)


def is_run(folder: Path) -> bool:
    """Whether a folder is a stored run's."""
    return (folder / "run.json").is_file()


def _guard_runs(request: Request, only_runs: bool) -> int:  # what the caller just found out
    """Judge a stored run by others of the same unit."""
    if not only_runs or not is_run(Path(request.head)):
        raise UsageError("--base RUN judges a stored run by stored runs: give every --base and --head as run folders")
    if request.cells or request.settings or request.rules.accuracy_epochs:
        raise UsageError("--base RUN judges every cell that was stored: leave out --cell, --set and --accuracy")
    margins = Margins(throughput=request.rules.margin)
    judging = Judging(margins, other_code=False, inconclusive=request.inconclusive)
    folder = Path(request.head) / "report" / "comparison"
    code = compare_runs([Path(words) for words in [*request.base, request.head]], [], folder, judging)
    if (verdict := folder / "verdict.md").is_file():
        _summarise_step(verdict.read_text(encoding="utf-8"))
    return code


def _guard_live(request: Request) -> int:
    """Judge every cell live."""
    console, environment = result_console(), read_environment()
    base, head = _base(request.base[0]), parse_side(request.head)
    common = one_value_each(request.settings, "--set")
    asked = {cell: [*filter(None, map(str.strip, cell.split(",")))] for cell in request.cells or [""]}
    cells = {cell: {**common, **one_value_each(words, "--cell")} for cell, words in asked.items()}
    with tempfile.TemporaryDirectory(prefix="bench-sides-") as scratch:
        workloads = take_workloads((base, head), Path(scratch))
        comparisons = {
            cell or AS_IS: plan_comparison((base, head), workloads, settings, request.rules, environment)
            for cell, settings in cells.items()
        }
        if not request.allow_busy:
            for comparison in comparisons.values():
                refuse_busy_gpus([comparison.record.a.trial, comparison.record.b.trial], environment)
        folder = create_folder(request.out, "guard", lambda _: None)

        def measure(cell: str) -> Result:
            comparison = comparisons[cell]
            writer = create_comparison(folder, comparison.record)
            console.print(Text(f"Cell {cell}"), soft_wrap=True)
            print_start(console, comparison, environment)
            result = run_comparison(comparison, writer, lambda pair: print_pair(console, pair))
            write_summary(result, writer.folder)
            return result

        try:
            checked = check(list(comparisons), measure)
        except (Interrupted, KeyboardInterrupt):
            print(f"Interrupted; what was measured is in {folder}", file=sys.stderr)
            return 130
    code = exit_code_of(checked, request.inconclusive)
    _publish(console, checked, code, folder)
    return code


def _publish(console: Console, checked: list[Checked], code: int, folder: Path) -> None:
    """Files beside the comparisons, the summary of a workflow's step, annotations, and a line for each cell."""
    summary = as_markdown(checked, code)
    write_atomically(folder / "guard.json", as_json(checked, code))
    write_atomically(folder / "guard.md", summary)
    write_atomically(folder / "junit.xml", as_junit(checked))
    _summarise_step(summary)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in annotations(checked):
            print(line)
    for one in checked:
        console.print(Text(told_of(one)), soft_wrap=True)
    console.print(f"Guard: {folder}", markup=False, highlight=False, soft_wrap=True)


def _summarise_step(text: str) -> None:
    """Add to the summary of a workflow's step, where there is one; that it cannot be written changes no verdict."""
    if step := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(step).open("ab") as stream:
                stream.write(text.encode()[:_MOST_SUMMARY_BYTES])
        except OSError as error:
            warn([f"GITHUB_STEP_SUMMARY {step}: {error.strerror}"])


def _base(words: str) -> Side:
    """A side as `bench ab` takes it, or a revision by its bare name."""
    if words == AS_IS:
        raise UsageError(f"--base {AS_IS}: that is the head; give a revision (git:{AS_IS} for a branch) or a folder")
    if words.startswith("git:") or "=" in words or Path(words).is_dir():
        return parse_side(words)
    return parse_side(f"git:{words}")
