"""`bench compare`: runs side by side, across machines too; a verdict where there is ground for one."""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.display import result_console
from bench.errors import UsageError
from bench.guard.compare import Compared, Comparison, compare, read_compared
from bench.guard.comparison_plot import plot_comparison
from bench.guard.comparison_sheet import write_comparison_csv
from bench.guard.comparison_table import comparison_table, difference_lines, finding, fitted, run_lines, standing
from bench.guard.differences import differences_of
from bench.guard.prices import priced
from bench.report.further import for_markdown, for_terminal
from bench.report.text import markdown
from bench.store.runs import write_atomically

NOTHING_COMPARABLE = 4


def compare_runs(folders: Sequence[Path], prices: Sequence[str], out: Path | None) -> int:
    """Describe runs beside the first of them; 4 where no cell can be compared. Raises UsageError for bad input."""
    if len(folders) < 2:
        raise UsageError("compare takes two runs or more; the first is what the others are compared with")
    gc.disable()  # what is read stays until the end
    runs = priced(read_compared(folders), prices)
    for run in runs:
        print(*run.stored.damage, sep="\n", end="\n" if run.stored.damage else "", file=sys.stderr)
    comparisons = [compare(runs[0], other) for other in runs[1:]]
    tables = [comparison_table(comparison) for comparison in comparisons]
    console = result_console()
    _say(console, *run_lines(runs), standing(runs))
    told = difference_lines(differences_of([run.stored.run for run in runs]), [run.letter for run in runs])
    _say(console, "What differs:", *(f"- {line}" for line in told))
    for comparison, table in zip(comparisons, tables, strict=True):
        if table.lines:
            console.print(for_terminal(fitted(table, console.width)))
        else:
            _say(console, "", *table.told)
        _say(console, f"\n{finding(comparison)}.")
    path = _write(out or folders[-1] / "report" / "comparison", runs, comparisons, told)
    print(f"Comparison: {path}")
    return 0 if any(comparison.joined for comparison in comparisons) else NOTHING_COMPARABLE


def _say(console: Console, *lines: str) -> None:
    """Plain lines: what stands in a file is no markup."""
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _write(folder: Path, runs: Sequence[Compared], comparisons: Sequence[Comparison], told: Sequence[str]) -> Path:
    """Markdown, CSV and picture; returns the first."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ratios.png").unlink(missing_ok=True)
    drawn = plot_comparison(folder / "ratios.png", comparisons)
    write_comparison_csv(folder / "comparison.csv", comparisons)
    parts = [
        f"# {' and '.join(run.letter for run in runs[1:])} beside {runs[0].letter}",
        "\n".join(f"- {markdown(line)}" for line in run_lines(runs)),
        markdown(standing(runs)),
        "\n\n".join(f"**{markdown(finding(comparison))}.**" for comparison in comparisons),
        "## What differs\n\n" + "\n".join(f"- {markdown(line)}" for line in told),
        *(for_markdown(comparison_table(comparison)) for comparison in comparisons),
        *(["![ratios](ratios.png)"] if drawn else []),
    ]
    write_atomically(folder / "comparison.md", "\n\n".join(parts) + "\n")
    return folder / "comparison.md"
