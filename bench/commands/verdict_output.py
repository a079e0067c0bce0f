"""What every command that judges a stored run prints, and what those write that keep its verdict beside its report."""

from pathlib import Path

from bench.display import result_console, say
from bench.errors import UsageError
from bench.guard.stored.judge import Margins
from bench.guard.stored.judgement import Judgement
from bench.guard.stored.outputs import as_junit, as_markdown, finding_of
from bench.guard.stored.verdict_table import verdict_table, write_verdict_csv
from bench.guard.verdict import Inconclusive
from bench.report.further import for_terminal
from bench.store.runs import write_atomically


def checked_margins(throughput: float, memory: float, accuracy: float) -> Margins:
    """Margins from percent, percent and points; raises UsageError for one that is none."""
    given = {"--margin": throughput, "--memory-margin": memory, "--accuracy-margin": accuracy}
    for option, value in given.items():
        if not 0 < value < 100:
            raise UsageError(f"{option} {value:g}: give percent above 0 and below 100, such as 2")
    return Margins(throughput / 100, memory / 100, accuracy / 100)


def print_verdict(judgement: Judgement) -> None:
    """Every figure and what follows, or why there is no verdict."""
    console = result_console()
    if judgement.why_not is not None:
        say(console, f"not comparable: {judgement.why_not}", *(f"- {line}" for line in judgement.told))
        return
    console.print(for_terminal(verdict_table(judgement.judged, judgement.margins, judgement.told)))
    say(console, f"\n{finding_of(judgement)}.")


def deliver_verdict(judgement: Judgement, folder: Path, inconclusive: Inconclusive) -> int:
    """Print, and write verdict.md, verdict.csv and junit.xml into `folder`; returns the exit code.

    Without a verdict they are written too and say why: those of an earlier one would pass for this.
    """
    print_verdict(judgement)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror}); name a folder that can with --out") from None
    write_verdict_csv(folder / "verdict.csv", judgement.name, judgement.judged)
    write_atomically(folder / "junit.xml", as_junit(judgement))
    write_atomically(folder / "verdict.md", as_markdown(judgement, f"Verdict on {judgement.name}"))
    print(f"Verdict: {folder / 'verdict.md'}")
    return judgement.exit_code(inconclusive)
