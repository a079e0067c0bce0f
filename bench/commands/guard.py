"""`bench guard`: a gate for CI. Base against head, cell by cell, interleaved on this machine now, or as runs stored."""

import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from bench.commands.ab import LiveRequest, print_pair, print_start, write_summary
from bench.commands.compare import judge_last
from bench.commands.gate_output import publish
from bench.commands.verdict_output import print_verdict
from bench.commands.where import refuse_busy_gpus
from bench.display import result_console, say
from bench.errors import UsageError
from bench.execute.scheduler import Interrupted
from bench.guard.defaults import PAIR_S
from bench.guard.live.comparison import plan_comparison, run_comparison, take_workloads
from bench.guard.live.gate import Checked, check, exit_code_of
from bench.guard.live.outputs import NOT_MEASURED, annotations, as_json, as_junit, as_markdown, told_of
from bench.guard.live.result import Result
from bench.guard.live.side import AS_IS, Side, is_folder, one_value_each, parse_side
from bench.guard.stored import outputs as stored_outputs
from bench.guard.stored.judge import Margins
from bench.guard.verdict import OUTCOMES
from bench.measure.environment import read_environment
from bench.plan.axes import Settings
from bench.store.pairs import create_comparison
from bench.store.runs import create_folder


@dataclass(frozen=True, kw_only=True)
class Request(LiveRequest):
    """What `bench guard` was asked for."""

    base: list[str]
    head: str
    cells: list[str]


def guard_against(request: Request) -> int:
    """Judge head against base, live or by stored runs; returns the exit code. Raises UsageError for bad input."""
    runs = [is_run(Path(words)) for words in request.base]
    if all(runs) and is_run(Path(request.head)):
        return _guard_runs(request)
    if any(runs):
        raise UsageError("--base RUN judges a stored run by stored runs: give every --base and --head as run folders")
    if len(request.base) > 1:
        raise UsageError("--base: give one revision or folder, or the folders of 5 runs or more")
    return _guard_live(request)


def is_run(folder: Path) -> bool:
    """Whether a folder is a stored run's."""
    with suppress(OSError):  # settings may be too long for a name
        return (folder / "run.json").is_file()
    return False


def _guard_runs(request: Request) -> int:
    """Judge a stored run by others of its unit, of whatever code: whether that became slower is what a gate is asked.

    Raises UsageError for what can be said of a live comparison only.
    """
    given = {
        "--cell": request.cells,
        "--set": request.settings,
        "--accuracy": request.rules.accuracy_epochs,
        "--data": request.rules.data,
        "--pair-time": request.rules.pair_s != PAIR_S,
        "--allow-busy": request.allow_busy,
    }
    if senseless := [option for option, value in given.items() if value]:
        raise UsageError(f"--base RUN judges what was stored, every cell of it: leave out {', '.join(senseless)}")
    folders = [Path(words) for words in (*request.base, request.head)]
    judgement = judge_last(folders, Margins(throughput=request.rules.margin), other_code=True, whole=True)
    folder = create_folder(request.out, "guard", lambda _: None)
    print_verdict(judgement)
    code = judgement.exit_code(request.inconclusive)
    publish(
        folder,
        facts=stored_outputs.as_json(judgement, code),
        summary=stored_outputs.as_markdown(judgement, f"Guard: {OUTCOMES[code]}"),
        junit=stored_outputs.as_junit(judgement),
        annotations=stored_outputs.annotations(judgement),
    )
    say(result_console(), f"Guard: {folder}")
    return code


def _guard_live(request: Request) -> int:
    """Judge every cell live; what an interrupt leaves of it is published too."""
    console, environment = result_console(), read_environment()
    sides, cells = (_base(request.base[0]), parse_side(request.head)), _cells(request)
    with tempfile.TemporaryDirectory(prefix="bench-sides-") as scratch:
        workloads = take_workloads(sides, Path(scratch))
        comparisons = {
            cell: plan_comparison(sides, workloads, settings, request.rules, environment)
            for cell, settings in cells.items()
        }
        if not request.allow_busy:
            for comparison in comparisons.values():
                refuse_busy_gpus([comparison.record.a.trial, comparison.record.b.trial], environment)
        folder = create_folder(request.out, "guard", lambda _: None)
        measured: dict[str, list[Result]] = {}

        def measure(cell: str) -> Result:
            comparison = comparisons[cell].again() if cell in measured else comparisons[cell]
            writer = create_comparison(folder, comparison.record)
            console.print(Text(f"Cell {cell}"), soft_wrap=True)
            print_start(console, comparison, environment)
            result = run_comparison(comparison, writer, lambda pair: print_pair(console, pair))
            measured.setdefault(cell, []).append(result)
            write_summary(result, writer.folder)
            return result

        try:
            checked = check(list(cells), measure)
        except (Interrupted, KeyboardInterrupt):
            print(f"Interrupted; what was measured is in {folder}", file=sys.stderr)
            done = [Checked(cell, *results) for cell, results in measured.items()]
            return _published(console, done, 130, folder, [cell for cell in cells if cell not in measured])
    return _published(console, checked, exit_code_of(checked, request.inconclusive), folder)


def _published(console: Console, checked: Sequence[Checked], code: int, folder: Path, left: Sequence[str] = ()) -> int:
    """Leave what CI reads, and print a line for each cell; returns the exit code."""
    publish(
        folder,
        facts=as_json(checked, code, left),
        summary=as_markdown(checked, code, left),
        junit=as_junit(checked, left),
        annotations=annotations(checked),
    )
    for line in [*map(told_of, checked), *(f"{cell}: {NOT_MEASURED}" for cell in left)]:
        console.print(Text(line), soft_wrap=True)
    say(console, f"Guard: {folder}")
    return code


def _cells(request: Request) -> dict[str, Settings]:
    """The settings of each cell, over those of all, by what outputs call it; `default` has none of its own."""
    common = one_value_each(request.settings, "--set")
    found: dict[str, Settings] = {}
    for cell in request.cells or [AS_IS]:
        words = [word for word in map(str.strip, cell.split(",")) if word not in {"", AS_IS}]
        found[cell.strip() or AS_IS] = {**common, **one_value_each(words, "--cell")}
    return found


def _base(words: str) -> Side:
    """A side as `bench ab` takes it, or a revision by its bare name."""
    if words == AS_IS:
        raise UsageError(f"--base {AS_IS}: that is the head; give a revision (git:{AS_IS} for a branch) or a folder")
    plain = words.startswith("git:") or "=" in words or is_folder(words)
    try:
        return parse_side(words if plain else f"git:{words}")
    except UsageError as error:
        raise UsageError(f"{error}{_AS_REVISION if {'=', ','} & set(words) else ''}") from None


_AS_REVISION = " (a revision with = in it: git:REVISION; with a comma in it: its commit, as git rev-parse tells)"
"""Both are what settings are told by."""
