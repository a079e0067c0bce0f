"""The table of results for people: one line per cell."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from rich import box
from rich.table import Table
from rich.text import Text

from bench.measure.statistics import FEWEST
from bench.report.bounds import bound_by
from bench.report.cells import FEWEST_PROCESSES, CellSummary
from bench.report.harness import harness_remark
from bench.report.names import short_names
from bench.report.text import mebibytes, percent, shorten, significant, step_ms, with_interval

_NARROW = 100
"""Characters of the narrowest terminal that the table is made for."""
_LONG_NAME = 24
MOST_NOTES = 60
"""Of more beneath the table nobody finds his; each stands behind its line of the page and in summary.md."""


@dataclass
class Grid:
    """The table as text, before the terminal or Markdown dresses it: one line of words per cell.

    `remarks` say how to read the figures, `cost` what measuring took; `footnotes` are notes with their numbers from 1
    on, and `marks` the numbers of each line; `shared` are the settings that all cells have and that no name repeats.
    """

    headers: list[str]
    lines: list[list[str]] = field(default_factory=list)
    marks: list[list[int]] = field(default_factory=list)
    shared: str = ""
    remarks: list[str] = field(default_factory=list)
    cost: str = ""
    footnotes: dict[str, int] = field(default_factory=dict)

    def number_of(self, note: str) -> int:
        """The number of a footnote; a note that several cells have stands there once."""
        return self.footnotes.setdefault(note, len(self.footnotes) + 1)

    @property
    def numbered_lines(self) -> list[list[str]]:
        """The lines with the numbers of their notes behind the status."""
        return [
            [name, status + (f" [{','.join(map(str, numbers))}]" if numbers else ""), *figures]
            for (name, status, *figures), numbers in zip(self.lines, self.marks, strict=True)
        ]


def grid_of(cells: Sequence[CellSummary]) -> Grid:
    """One line per cell, several trials pooled; columns that no cell has a figure for may be left out."""
    names, shared = short_names([cell.cell for cell in cells])
    figures = {
        header: of
        for header, of in _FIGURES.items()
        if header not in _ONLY_WHERE_FILLED or any(of(cell) for cell in cells)
    }
    target = next((cell.target_accuracy for cell in cells if cell.target_accuracy is not None), None)
    headers = [f"s to\n{100 * target:g} %" if header == _TO_TARGET and target else header for header in figures]
    cost = harness_remark([row for cell in cells for row in cell.rows])
    grid = Grid(["cell", "status", *headers], shared=shared, remarks=_remarks(cells), cost=cost)
    for cell, name in zip(cells, names, strict=True):
        grid.marks.append([grid.number_of(note) for note in _notes(cell)])
        grid.lines.append([name, _status(cell), *(of(cell) for of in figures.values())])
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
    "step ms\np50 / p90": lambda cell: step_ms(cell.step_s_p50, cell.step_s_p90),
    "MFU\n%": lambda cell: "" if cell.place.mfu is None else significant(100 * cell.place.mfu),
    "bound\nby": bound_by,
    "first\nstep s": lambda cell: significant(cell.first_step_s),
    "import\nMiB": lambda cell: mebibytes(cell.import_host_memory_bytes),
    "host\nMiB": lambda cell: mebibytes(cell.peak_host_memory_bytes),
    "device\nMiB": lambda cell: mebibytes(cell.peak_device_memory_bytes),
    "NVML\nMiB": lambda cell: mebibytes(cell.nvml_peak_memory_bytes),
    "GPU\nuse %": lambda cell: "" if cell.utilisation is None else significant(100 * cell.utilisation),
    "GPU\nW": lambda cell: significant(cell.power_w),
    "images\n/J": lambda cell: significant(cell.images_per_j),
    "test\nacc %": _accuracy,
    _TO_TARGET: _to_target,
    "stopped\nby": lambda cell: cell.stopped_by,
}
_GPU = ("NVML\nMiB", "GPU\nuse %", "GPU\nW", "images\n/J")
_ONLY_WHERE_FILLED = {"trials", "MFU\n%", "bound\nby", "import\nMiB", "device\nMiB", *_GPU, "test\nacc %", _TO_TARGET}
WORDS = {"cell", "status", "\nover", "bound\nby", "stopped\nby"}
"""Columns of words, which stand to the left; numbers stand to the right."""
_BREAKS = {"status", "images/s\n(95 % interval)", "\nover", "bound\nby", "test\nacc %"}
_FIRST_TO_GO = ("import\nMiB", "stopped\nby", "first\nstep s", "NVML\nMiB", "GPU\nW", "images\n/J", "GPU\nuse %")
"""Columns that a terminal too narrow for all of them does without."""


def _remarks(cells: Sequence[CellSummary]) -> list[str]:
    remarks = []
    if any(cell.interval_over == "windows" for cell in cells):
        remarks.append("An interval over windows is within one process: it says nothing about a rerun.")
    if any(cell.interval_over == "none, n=1" for cell in cells):
        remarks.append(f"none, n=1: fewer than {FEWEST} windows, or too uneven ones, give no interval: take more time.")
    if any(len(cell.counted) > 1 for cell in cells):
        remarks.append(
            "Several trials of a cell: images/s and step times pool all steady windows, the interval is between n "
            f"processes (none for fewer than {FEWEST_PROCESSES}), first step is the median, memory the highest, "
            "accuracy mean ± standard deviation over n seeds. trials: counted/run."
        )
    return remarks


def results_table(grid: Grid, width: int = _NARROW) -> Table:
    """The table for a terminal of 100 columns or more; notes and reasons stand as footnotes beneath, if few."""
    columns = _fitted(grid, width)
    roomy = _width(columns) + len(columns) <= width
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, int(roomy), 0, 0),
        show_edge=False,
        pad_edge=False,
        title=Text(f"All cells: {grid.shared}\n") if grid.shared else None,
        title_justify="left",
        caption=_caption(grid, [header for header in grid.headers if header not in columns]),
        caption_justify="left",
    )
    for header, words in columns.items():
        left = header in WORDS
        # where there is no room a long name goes on in the next line, nothing else
        breaks = header == "cell" and max(map(len, words), default=0) > _LONG_NAME
        table.add_column(header, justify="left" if left else "right", no_wrap=not breaks, overflow="fold")
    for line in zip(*columns.values(), strict=True):
        # Text, not str: a bracket in a name or a reason is no markup
        table.add_row(*map(Text, line))
    return table


def _fitted(grid: Grid, width: int) -> dict[str, list[str]]:
    """The columns by their headers; where room is short, figures break before their interval, then columns go."""
    lines = [[shorten(word) for word in line] for line in grid.numbered_lines]
    columns = {header: [line[place] for line in lines] for place, header in enumerate(grid.headers)}
    if _width(columns) > width:
        columns |= {header: [_broken(word) for word in columns[header]] for header in columns.keys() & _BREAKS}
    for header in _FIRST_TO_GO:
        if _width(columns) > width:
            columns.pop(header, None)
    return columns


def _broken(word: str) -> str:
    """A figure in one line, its interval, what it is over, or a note's number in the next."""
    return word.replace(" (", "\n(").replace(" [", "\n[").replace(", ", ",\n")


def _width(columns: dict[str, list[str]]) -> int:
    """How many characters the columns take side by side; a long name breaks in any case."""
    widths = {
        header: max(len(part) for word in [header, *words] for part in word.split("\n"))
        for header, words in columns.items()
    }
    widths["cell"] = min(widths["cell"], _LONG_NAME)
    return sum(widths.values()) + len(widths) - 1


def _caption(grid: Grid, hidden: Sequence[str]) -> Text | None:
    notes = [f"[{number}] {note}" for note, number in islice(grid.footnotes.items(), MOST_NOTES)]
    lines = [*grid.remarks, *filter(None, [grid.cost]), *notes]
    if (more := len(grid.footnotes) - MOST_NOTES) > 0:
        lines.append(f"More notes in summary.md: {more:,}.")
    if hidden:
        lines.append(f"In summary.md, for want of room: {', '.join(' '.join(header.split()) for header in hidden)}.")
    return Text("\n" + "\n".join(lines)) if lines else None
