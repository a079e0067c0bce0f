"""The tables beneath the table of results, which only some runs have: for the terminal and for Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table
from rich.text import Text

from bench.report.cells import CellSummary
from bench.report.scaling import HEADERS as SCALING_HEADERS
from bench.report.scaling import scaling_lines, scaling_remark
from bench.report.text import markdown

_SCALING_TOLD = (
    "Against one replica of the same settings: strong has the same global batch on all replicas together, weak has on "
    "each what the one has alone. Efficiency is the speed-up divided by the number of replicas."
)


@dataclass(frozen=True)
class Further:
    """A table as text under its title, and what is to be said beneath it."""

    title: str
    headers: list[str]
    lines: list[list[str]]
    told: tuple[str, ...]


def further_tables(cells: Sequence[CellSummary]) -> list[Further]:
    """The tables that these cells have something for."""
    scaling = Further("Scaling", SCALING_HEADERS, scaling_lines(cells), (_SCALING_TOLD, scaling_remark(cells)))
    return [table for table in (scaling,) if table.lines]


def for_terminal(further: Further) -> Table:
    """The table for a terminal, its words broken where there is no room."""
    told = "\n".join(filter(None, further.told))
    table = Table(
        box=box.SIMPLE_HEAD,
        title=Text(f"\n{further.title}"),
        title_justify="left",
        caption=Text(told),
        caption_justify="left",
        show_edge=False,
        pad_edge=False,
    )
    for header in further.headers:
        table.add_column(Text(header), overflow="fold")
    for line in further.lines:
        table.add_row(*map(Text, line))
    return table


def for_markdown(further: Further) -> str:
    """The table as a section of Markdown."""
    rows = [
        further.headers,
        ["---"] * len(further.headers),
        *([markdown(word) for word in line] for line in further.lines),
    ]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    told = "  \n".join(markdown(one) for one in further.told if one)
    return f"## {further.title}\n\n{lines}\n\n{told}"
