"""The report to read first, as Markdown: what was found, what failed, where it ran, how to read it."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from bench.report.account import Account
from bench.report.further import for_markdown
from bench.report.tables import WORDS, Grid
from bench.report.text import markdown


def write_summary(path: Path, account: Account, plots: Sequence[str] = ()) -> None:
    """Write the Markdown report of a run; `plots` are paths of pictures relative to it."""
    failures = [account.failures] if account.failures.lines else []
    parts = [
        f"# Run of suite {markdown(account.run.suite)}\n\n{_asked(account)}",
        _found(account),
        f"## Results\n\n{_results(account.grid)}",
        *map(for_markdown, account.further),
        *([_pictures(plots)] if plots else []),
        *map(for_markdown, [*failures, *account.machine]),
        f"## How to read the numbers\n\n{how_to_read()}",
    ]
    path.write_text("\n\n".join(part.strip() for part in parts) + "\n", encoding="utf-8")


def how_to_read() -> str:
    """What the figures of a report are, as Markdown."""
    return files("bench.report").joinpath("how_to_read.md").read_text(encoding="utf-8")


def _asked(account: Account) -> str:
    """What was asked and how much of it there is."""
    described = f"{markdown(account.run.description)}\n\n" if account.run.description else ""
    return described + "\n".join(_item(topic, told) for topic, told in account.asked)


def _found(account: Account) -> str:
    """The finding in bold, of a search a list of them; beneath it the further ones."""
    bold = [f"**{markdown(line)}**" for line in account.headlines]
    first = "\n".join(f"- {line}" for line in bold) if account.run.max_batch else "\n".join(bold)
    return "\n\n".join([first, "\n".join(_item(one.topic, one.sentence) for one in account.findings)])


def _item(topic: str, told: str) -> str:
    return f"- {topic}: {markdown(told)}" if topic else f"- {markdown(told)}"


def _results(grid: Grid) -> str:
    if not grid.lines:
        return "No trial was recorded."
    aligned = ["---" if header in WORDS else "---:" for header in grid.headers]
    lines = [_line([" ".join(header.split()) for header in grid.headers]), _line(aligned)]
    lines += [_line([markdown(word) for word in line]) for line in grid.numbered_lines]
    shared = f"All cells: {markdown(grid.shared)}\n\n" if grid.shared else ""
    notes = [markdown(remark) for remark in grid.remarks]
    notes += [f"\\[{number}\\] {markdown(note)}" for note, number in grid.footnotes.items()]
    return shared + "\n".join(lines) + "\n\n" + "  \n".join(notes)


def _line(words: Sequence[str]) -> str:
    return f"| {' | '.join(words)} |"


def _pictures(plots: Sequence[str]) -> str:
    return "\n\n".join(f"![{Path(plot).stem.replace('_', ' ')}]({plot})" for plot in plots)
