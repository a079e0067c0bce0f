"""The table of results for people: one line per cell."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich import box
from rich.table import Table
from rich.text import Text

from bench.report.cells import FEWEST_PROCESSES, CellSummary
from bench.report.names import short_names
from bench.report.text import mebibytes, percent, shorten, significant, with_interval

_NARROW = 100
"""Characters of the narrowest terminal that the table is made for."""
_LONG_NAME = 24


@dataclass
class Grid:
    """The table as text, before the terminal or Markdown dresses it: one line of words per cell.

    `remarks` say how to read the figures, `footnotes` are numbered from 1 by their place, `shared` are the
    settings that all cells have and that no name repeats.
    """

    headers: list[str]
    lines: list[list[str]] = field(default_factory=list)
    shared: str = ""
    remarks: list[str] = field(default_factory=list)
    footnotes: list[str] = field(default_factory=list)

    def number_of(self, note: str) -> int:
        """The number of a footnote; a note that several cells have stands there once."""
        if note not in self.footnotes:
            self.footnotes.append(note)
        return self.footnotes.index(note) + 1


def grid_of(cells: Sequence[CellSummary]) -> Grid:
    """One line per cell, several trials pooled; a column of which no cell has anything is left out."""
    names, shared = short_names([cell.cell for cell in cells])
    figures = {
        header: of
        for header, of in _FIGURES.items()
        if header not in _ONLY_WHERE_FILLED or any(of(cell) for cell in cells)
    }
    target = next((cell.target_accuracy for cell in cells if cell.target_accuracy is not None), None)
    headers = [f"s to\n{100 * target:g} %" if header == _TO_TARGET and target else header for header in figures]
    grid = Grid(["cell", "status", *headers], shared=shared, remarks=_remarks(cells))
    for cell, name in zip(cells, names, strict=True):
        numbers = [str(grid.number_of(note)) for note in _notes(cell)]
        marks = f" [{','.join(numbers)}]" if numbers else ""
        grid.lines.append([name, _status(cell) + marks, *(of(cell) for of in figures.values())])
    return grid


def _notes(cell: CellSummary) -> list[str]:
    """What is to be known of a cell: each note once, with its trial where not all trials have it."""
    counts = Counter(note for row in cell.rows for note in dict.fromkeys(row.notes))
    notes = []
    for row in cell.rows:
        trial = row.record.trial
        where = f"seed {trial.seed} repeat {trial.repeat}: "
        notes += [shorten(("" if counts[note] == len(cell.rows) else where) + note) for note in row.notes]
    return list(dict.fromkeys(notes))


def _status(cell: CellSummary) -> str:
    hit = sum(row.record.status == cell.status for row in cell.rows)
    return cell.status if hit == len(cell.rows) else f"{cell.status} {hit}/{len(cell.rows)}"


def _step_ms(cell: CellSummary) -> str:
    if cell.step_s_p50 is None or cell.step_s_p90 is None:
        return ""
    return f"{significant(1000 * cell.step_s_p50)} / {significant(1000 * cell.step_s_p90)}"


def _accuracy(cell: CellSummary) -> str:
    if cell.test_accuracy_sd is None:
        return percent(cell.test_accuracy)
    return f"{percent(cell.test_accuracy)} ± {percent(cell.test_accuracy_sd)} (n={cell.seeds})"


def _trials(cell: CellSummary) -> str:
    """Counted of all, where there are several."""
    return f"{len(cell.counted)}/{len(cell.rows)}" if len(cell.rows) > 1 else ""


def _to_target(cell: CellSummary) -> str:
    """The median seconds, and how many reached it where not all did."""
    share = f" ({cell.reached}/{cell.evaluated})" if 0 < cell.reached < cell.evaluated else ""
    return significant(cell.time_to_accuracy_s) + share


_TO_TARGET = "s to\ntarget"
_FIGURES: dict[str, Callable[[CellSummary], str]] = {
    "trials": _trials,
    "images/s\n(95 % interval)": lambda cell: with_interval(cell.throughput_images_per_s, cell.interval),
    "\nover": lambda cell: cell.interval_over,
    "step ms\np50 / p90": _step_ms,
    "MFU\n%": lambda cell: "" if cell.place.mfu is None else significant(100 * cell.place.mfu),
    "first\nstep s": lambda cell: significant(cell.first_step_s),
    "import\nMiB": lambda cell: mebibytes(cell.import_host_memory_bytes),
    "host\nMiB": lambda cell: mebibytes(cell.peak_host_memory_bytes),
    "device\nMiB": lambda cell: mebibytes(cell.peak_device_memory_bytes),
    "test\nacc %": _accuracy,
    _TO_TARGET: _to_target,
    "stopped\nby": lambda cell: cell.stopped_by,
}
_ONLY_WHERE_FILLED = {"trials", "MFU\n%", "import\nMiB", "device\nMiB", _TO_TARGET}
WORDS = {"cell", "status", "\nover", "stopped\nby"}
"""Columns of words, which stand to the left; numbers stand to the right."""
_BREAKS = {"status", "images/s\n(95 % interval)", "\nover", "test\nacc %"}


def _remarks(cells: Sequence[CellSummary]) -> list[str]:
    remarks = []
    if any(cell.interval_over == "windows" for cell in cells):
        remarks.append("An interval over windows is within one process: it says nothing about a rerun.")
    if any(len(cell.counted) > 1 for cell in cells):
        remarks.append(
            "Several trials of a cell: images/s and step times pool all steady windows, the interval is between n "
            f"processes (none for fewer than {FEWEST_PROCESSES}), first step is the median, memory the highest, "
            "accuracy mean ± standard deviation over n seeds. trials: counted/run."
        )
    return remarks


def results_table(cells: Sequence[CellSummary]) -> Table:
    """The table for a terminal of 100 columns or more; notes and reasons stand as footnotes beneath."""
    grid = grid_of(cells)
    roomy = sum(_widths(grid)) + 2 * len(grid.headers) <= _NARROW
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, int(roomy), 0, 0),
        show_edge=False,
        pad_edge=False,
        title=Text(f"All cells: {grid.shared}\n") if grid.shared else None,
        title_justify="left",
        caption=_caption(grid),
        caption_justify="left",
    )
    for place, (header, width) in enumerate(zip(grid.headers, _widths(grid), strict=True)):
        justify: Literal["left", "right"] = "left" if header in WORDS else "right"
        # where there is no room a long name, an interval and a spread go on in the next line, nothing else
        breaks = width > _LONG_NAME if header == "cell" else header in _BREAKS
        least = max((len(word) for line in [grid.headers, *grid.lines] for word in line[place].split()), default=0)
        table.add_column(header, justify=justify, no_wrap=not breaks, overflow="fold", min_width=least)
    for line in grid.lines:
        # Text, not str: a bracket in a name or a reason is no markup
        table.add_row(*(Text(shorten(word)) for word in line))
    return table


def _widths(grid: Grid) -> list[int]:
    """How many characters of a line each column would like."""
    headers = [max(map(len, header.split("\n"))) for header in grid.headers]
    return [max(width, *(len(line[place]) for line in grid.lines), 0) for place, width in enumerate(headers)]


def _caption(grid: Grid) -> Text | None:
    lines = [*grid.remarks, *(f"[{number}] {note}" for number, note in enumerate(grid.footnotes, 1))]
    return Text("\n" + "\n".join(lines)) if lines else None
