"""The tables beneath the table of results, which only some runs have: for the terminal and for Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.table import Table
from rich.text import Text

from bench.report.cells import CellSummary
from bench.report.communication import HEADERS as COMMUNICATION_HEADERS
from bench.report.communication import communication_lines
from bench.report.scaling import HEADERS as SCALING_HEADERS
from bench.report.scaling import scaling_lines, scaling_remark
from bench.report.text import markdown

_NAME_WIDTH = 14
_SCALING_TOLD = (
    "Against one replica of the same settings: strong has the same global batch on all replicas together, weak has on "
    "each what the one has alone. Efficiency is the speed-up divided by the number of replicas."
)

_COMMUNICATION_TOLD = (
    "All-reduces alone over n replicas, as fast as the slowest worker, over the trial's own strategy: of 16 floats a "
    "replica, of an array of the gradient's size, and of the largest that was tried. algbw is bytes ÷ seconds, busbw "
    "that × 2(n-1)/n, as nccl-tests defines them. The share of the step is what the gradient's all-reduce takes by "
    "itself: in a step that hides part of it behind computing it costs less."
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
    communication = Further("Communication", COMMUNICATION_HEADERS, communication_lines(cells), (_COMMUNICATION_TOLD,))
    return [table for table in (scaling, communication) if table.lines]


_FIRST_TO_GO = (
    *("over", "against", "scaling"),
    *("busbw MB/s", "gradient", "least", "algbw", "share"),
)
"""Of both tables, the columns that a terminal too narrow for all of them does without."""


def fitted(table: Further, width: int, first_to_go: Sequence[str] = _FIRST_TO_GO, more: str = "summary.md") -> Further:
    """The table without the columns that a terminal has no room for, which are named beneath it; `more` has them."""
    kept = list(range(len(table.headers)))
    room = width - _NAME_WIDTH
    for header in first_to_go:
        if sum(_width(table, place) for place in kept[1:]) > room:
            kept = [place for place in kept if not table.headers[place].startswith(header)]
    gone = [" ".join(header.split()) for place, header in enumerate(table.headers) if place not in kept]
    return replace(
        table,
        headers=[table.headers[place] for place in kept],
        lines=[[line[place] for place in kept] for line in table.lines],
        told=(*table.told, f"In {more}, for want of room: {', '.join(gone)}." if gone else ""),
    )


def _width(table: Further, place: int) -> int:
    """How wide a column is where what stands in brackets goes into the next line, with what stands between columns."""
    words = [table.headers[place], *(line[place].replace(" (", "\n(") for line in table.lines)]
    return 3 + max(len(part) for word in words for part in word.split("\n"))


def for_terminal(further: Further) -> Table:
    """The table for a terminal; intervals stand beneath their figures."""
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
    for place, header in enumerate(further.headers):
        # names go on in the next line where there is no room, figures stay whole
        if place:
            table.add_column(header, no_wrap=True, justify="right")
        else:
            table.add_column(header, overflow="fold", min_width=_NAME_WIDTH)
    for line in further.lines:
        table.add_row(*(Text(word.replace(" (", "\n(") if place else word) for place, word in enumerate(line)))
    return table


def for_markdown(further: Further) -> str:
    """The table as a section of Markdown; one without columns has only what is told."""
    rows = [
        [" ".join(header.split()) for header in further.headers],
        ["---"] * len(further.headers),
        *([markdown(word) for word in line] for line in further.lines),
    ]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows if row)
    told = "  \n".join(markdown(one) for one in further.told if one)
    return "\n\n".join(filter(None, [f"## {further.title}", lines, told]))
