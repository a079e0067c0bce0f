"""What both commands that judge a stored run print and write."""

from collections.abc import Sequence
from pathlib import Path

from bench.display import result_console, say
from bench.errors import UsageError
from bench.guard.stored.ground import ground_of
from bench.guard.stored.judge import Margins, judge
from bench.guard.stored.rule import FEWEST_RUNS
from bench.guard.stored.verdict_table import named, verdict_finding, verdict_junit, verdict_table, write_verdict_csv
from bench.guard.verdict import Inconclusive, exit_code
from bench.report.further import for_markdown, for_terminal
from bench.report.text import markdown
from bench.store.baselines import RunFigures
from bench.store.runs import write_atomically


def checked_margins(throughput: float, memory: float, accuracy: float) -> Margins:
    """Margins from percent, percent and points; raises UsageError for one that is none."""
    given = {"--margin": throughput, "--memory-margin": memory, "--accuracy-margin": accuracy}
    for option, value in given.items():
        if not 0 < value < 100:
            raise UsageError(f"{option} {value:g}: give percent above 0 and below 100, such as 2")
    return Margins(throughput / 100, memory / 100, accuracy / 100)


def deliver_verdict(
    run: RunFigures,
    baseline: Sequence[RunFigures],
    margins: Margins,
    folder: Path,
    *,
    differ: Sequence[str] = (),
    other_code: bool = False,
    inconclusive: Inconclusive = "fail",
) -> int:
    """Judge, print, write verdict.md, verdict.csv and junit.xml into `folder`; returns the exit code."""
    ground, console = ground_of(run, baseline, other_code=other_code), result_console()
    if len(ground.runs) < FEWEST_RUNS:
        say(console, f"not comparable: a verdict takes {FEWEST_RUNS} baseline runs, there are {len(ground.runs)}")
        say(console, *(f"- {line}" for line in ground.told))
        return exit_code([])
    judged = judge(run, ground.runs, margins)
    mine = {one.cell.cell_id for one in run.cells}
    missing = {
        one.cell.label
        for each in ground.runs
        for one in each.cells
        if one.cell.cell_id not in mine and one.status == "ok"
    }
    told = [*ground.told, *([f"in the baseline, not in this run: {named(sorted(missing))}"] if missing else [])]
    table, finding = verdict_table(judged, margins, told), verdict_finding(run.name, judged)
    console.print(for_terminal(table))
    say(console, f"\n{finding}.")
    folder.mkdir(parents=True, exist_ok=True)
    write_verdict_csv(folder / "verdict.csv", run, judged)
    write_atomically(folder / "junit.xml", verdict_junit(run.name, judged))
    parts = [f"# Verdict on {markdown(run.name)}", f"**{markdown(finding)}.**", for_markdown(table)]
    if differ:
        parts.insert(2, "## What differs\n\n" + "\n".join(f"- {markdown(line)}" for line in differ))
    write_atomically(folder / "verdict.md", "\n\n".join(parts) + "\n")
    print(f"Verdict: {folder / 'verdict.md'}")
    return exit_code((one.verdict for one in judged), inconclusive)
