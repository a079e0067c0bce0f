"""`bench report RUN RUN…`: each run's own report, and one page over all, relative to one of them."""

import gc
from collections.abc import Sequence
from pathlib import Path

from bench.commands.report import readable_runs, report_run, report_runs
from bench.display import result_console, say
from bench.errors import UsageError
from bench.guard.stored.compare import LETTERS, lettered
from bench.guard.stored.comparison_heading import run_lines
from bench.guard.stored.comparison_sheet import write_comparison_csv
from bench.report.further import for_terminal
from bench.report.pictures.canvas import SUFFIXES
from bench.several.comparison.page import write_comparison_page
from bench.several.comparison.picture import plot_machines
from bench.several.comparison.tables import differences_told, findings, means_table, standing
from bench.several.comparison.together import Together, together
from bench.store.runs import replacing

PAGE, SHEET, PICTURE = "comparison.html", "comparison.csv", "machines"


def report_side_by_side(folders: Sequence[Path], relative_to: str | None, out: Path | None) -> int:
    """Report each run, then all over one; returns 2 if none could be read, else 0. Raises UsageError for bad input."""
    once = list({folder.resolve(): folder for folder in folders}.values())
    if len(once) > len(LETTERS):
        return _too_many(once, relative_to)
    gc.disable()  # what is read stays until the end
    stored, console = list(readable_runs(once)), result_console()
    if len(stored) < 2 and relative_to:
        raise UsageError("--relative-to: fewer than two runs could be read; give two or more")
    found = together(lettered(stored), relative_to) if len(stored) > 1 else None
    for one in stored:
        report_run(console, one)
    if found is None:
        say(console, "Fewer than two runs could be read: nothing stands side by side.")
        return 0 if stored else 2
    write_side_by_side(found, out or stored[-1].folder / "report")
    return 0


def _too_many(folders: Sequence[Path], relative_to: str | None) -> int:
    """Each run's own report, one after the other; a page over them all would be read by nobody."""
    told = f"{len(folders)} runs: at most {len(LETTERS)} stand side by side"
    if relative_to:
        raise UsageError(f"--relative-to: {told}; give fewer")
    code = report_runs(folders)
    say(result_console(), f"{told}; give fewer, or follow them with --history.")
    return code


def write_side_by_side(found: Together, folder: Path) -> None:
    """Print what is found, and write page, CSV and picture into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _tell(found)
    for suffix in SUFFIXES:
        (folder / PICTURE).with_suffix(suffix).unlink(missing_ok=True)
    drawn = plot_machines(folder / PICTURE, found)
    with replacing(folder / SHEET) as path:
        write_comparison_csv(path, found.comparisons)
    write_comparison_page(folder / PAGE, found, [drawn] if drawn else [])
    say(result_console(), f"Comparison: {folder / PAGE}")


def _tell(found: Together) -> None:
    console = result_console()
    say(console, "", *run_lines(found.runs), standing(found), "What differs:")
    say(console, *(f"- {line}" for line in differences_told(found)))
    if means_table(found).lines:
        console.print(for_terminal(means_table(found)))
    say(console, *findings(found))
