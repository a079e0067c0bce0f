"""`bench compare`: runs side by side, across machines too; a verdict where there is ground for one."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.commands.verdict_output import deliver_verdict
from bench.display import result_console, say, warn
from bench.errors import UsageError
from bench.guard.stored.baseline import figures_of
from bench.guard.stored.compare import Compared, Comparison, compare, read_compared
from bench.guard.stored.comparison_heading import difference_lines, run_lines, standing
from bench.guard.stored.comparison_plot import plot_comparison
from bench.guard.stored.comparison_sheet import write_comparison_csv
from bench.guard.stored.comparison_table import comparison_table, finding, fitted_comparison
from bench.guard.stored.differences import differences_of, facts_of
from bench.guard.stored.judge import Margins
from bench.guard.stored.judgement import Judgement, judgement_of
from bench.guard.stored.prices import priced
from bench.guard.verdict import IncomparableError, Inconclusive
from bench.report.further import for_markdown, for_terminal
from bench.report.pictures.canvas import SUFFIXES
from bench.report.text import markdown
from bench.store.baselines import RunFigures
from bench.store.runs import write_atomically

NOTHING_COMPARABLE = 4


@dataclass(frozen=True)
class Judging:
    """How the last run is to be judged against the others."""

    margins: Margins
    other_code: bool
    inconclusive: Inconclusive


def compare_runs(folders: Sequence[Path], prices: Sequence[str], out: Path | None, judging: Judging | None) -> int:
    """Describe runs beside the first of them, or judge the last by the others; returns the exit code.

    Raises UsageError for bad input.
    """
    if len(folders) < 2:
        raise UsageError("compare takes two runs or more; the first is what the others are compared with")
    if judging and prices:
        raise UsageError("--price describes and --verdict judges; leave out one of them")
    folder = out or folders[-1] / "report" / "comparison"
    if judging:
        judgement = judge_last(folders, judging.margins, other_code=judging.other_code)
        return deliver_verdict(judgement, folder, judging.inconclusive)
    runs = _read(folders, prices)
    return _described(runs, folder, _told_differences(runs, standing(runs)))


def judge_last(folders: Sequence[Path], margins: Margins, *, other_code: bool, whole: bool = False) -> Judgement:
    """The verdict on the last run by the others, after a word on each; UsageError for what is no run.

    Where it must be `whole`, what the others measured and it did not is inconclusive.

    One of the others whose machine is not known is left out, and told.
    """
    runs = _read(folders, [])
    differ = _told_differences(runs, "")
    try:
        run = figures_of(runs[-1].stored)
    except IncomparableError as error:
        return Judgement(name=runs[-1].name, margins=margins, differ=differ, why_not=str(error))
    baseline, left_out = list[RunFigures](), list[str]()
    for one in runs[:-1]:
        try:
            baseline.append(figures_of(one.stored))
        except IncomparableError as error:
            left_out.append(f"left out: {error}")
    return judgement_of(run, baseline, margins, other_code=other_code, whole=whole, differ=differ, left_out=left_out)


def _read(folders: Sequence[Path], prices: Sequence[str]) -> list[Compared]:
    """The runs under their letters; what is damaged in them is told."""
    gc.disable()  # what is read stays until the end
    runs = priced(read_compared(folders), prices)
    for run in runs:
        warn(run.stored.damage)
    return runs


def _told_differences(runs: Sequence[Compared], concluded: str) -> list[str]:
    """Print what the runs are, what may be concluded and in what they differ; returns the latter, a line each."""
    found = differences_of([facts_of(run.stored.run) for run in runs])
    differ = difference_lines(found, [run.letter for run in runs])
    say(result_console(), *run_lines(runs), concluded, "What differs:", *(f"- {line}" for line in differ))
    return differ


def _described(runs: Sequence[Compared], folder: Path, told: Sequence[str]) -> int:
    """Every other run beside the first; 4 where no cell can be compared."""
    comparisons, console = [compare(runs[0], other) for other in runs[1:]], result_console()
    for comparison in comparisons:
        table = comparison_table(comparison)
        if table.lines:
            console.print(for_terminal(fitted_comparison(table, console.width)))
        else:
            say(console, "", *table.told)
        say(console, f"\n{finding(comparison)}.")
    path = _write(folder, runs, comparisons, told)
    print(f"Comparison: {path}")
    return 0 if any(comparison.joined for comparison in comparisons) else NOTHING_COMPARABLE


def _write(folder: Path, runs: Sequence[Compared], comparisons: Sequence[Comparison], told: Sequence[str]) -> Path:
    """Markdown, CSV and picture; returns the first."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in SUFFIXES:
        (folder / "ratios").with_suffix(suffix).unlink(missing_ok=True)
    drawn = plot_comparison(folder / "ratios", comparisons)
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
