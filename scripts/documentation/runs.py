"""Tables of stored runs between two marks of a page, so that no figure there is typed by hand.

    <!-- run: batch-size; only: global_batch; pictures: throughput -->
    <!-- end of run -->

takes the newest run in results/reference/ whose folder's name ends in `-batch-size`, of it the cells that differ from
the default in nothing but the axis `only`, where one is named, and shows the pictures of its report that are named.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.errors import UsageError
from bench.report.cells import CellSummary, accuracies_by_seed, summarise
from bench.report.names import short_names
from bench.report.ranking import accuracy_finding
from bench.report.rows import rows_of
from bench.report.text import markdown, mebibytes, percent, significant, with_interval
from bench.store.record import RunRecord
from bench.store.runs import read_run, write_atomically
from bench.trial import Cell

_MARKS = re.compile(r"<!-- run: (?P<asked>[^>]*?) -->.*?<!-- end of run -->", re.DOTALL)


def _accuracy(cell: CellSummary) -> str:
    """Mean, standard deviation and range over the seeds."""
    if cell.test_accuracy_sd is None:
        return percent(cell.test_accuracy)
    by_seed = accuracies_by_seed(cell.counted)
    spread = f"{percent(cell.test_accuracy)} ± {percent(cell.test_accuracy_sd)}"
    return f"{spread} ({percent(min(by_seed))} to {percent(max(by_seed))})"


_FIGURES: dict[str, Callable[[CellSummary], str]] = {
    "status": lambda cell: cell.status,
    "seeds": lambda cell: str(cell.seeds or ""),
    "epochs": lambda cell: str(cell.cell.epochs) if cell.test_accuracy is not None else "",
    "test accuracy %": _accuracy,
    "test loss": lambda cell: "" if cell.test_loss is None else f"{cell.test_loss:.4f}",
    "images/s (95 % interval)": lambda cell: with_interval(cell.throughput_images_per_s, cell.interval),
    "over": lambda cell: cell.interval_over,
    "step ms": lambda cell: "" if cell.step_s_p50 is None else significant(1000 * cell.step_s_p50),
    "host MiB": lambda cell: mebibytes(cell.peak_host_memory_bytes),
    "device MiB": lambda cell: mebibytes(cell.peak_device_memory_bytes),
}
"""The columns behind the cell's name; one that no cell has a figure for is left out."""


def draw_tables(page: Path, runs: Path) -> bool:
    """Draw every table of a page anew from the runs in a folder; returns whether the page changed.

    Raises UsageError for a mark that asks for nothing known.
    """
    old = page.read_text(encoding="utf-8")
    new = _MARKS.sub(lambda mark: _between(mark["asked"], page, runs), old)
    if new != old:
        write_atomically(page, new)
    return new != old


def _between(asked: str, page: Path, runs: Path) -> str:
    name, *words = (word.strip() for word in asked.split(";"))
    options = {option.strip(): value.strip() for option, _, value in (word.partition(":") for word in words)}
    unknown = [*(options.keys() - {"only", "pictures"}), *({options.get("only", "")} - {"", *Cell.model_fields})]
    if unknown:
        raise UsageError(f"{page}: run: {asked}: {unknown[0]} is unknown; write only: AXIS or pictures: NAME NAME")
    folder = newest(name, runs)
    told = _missing(name) if folder is None else _told(folder, page.parent, **options)
    return f"<!-- run: {asked} -->\n\n{told}\n\n<!-- end of run -->"


def newest(name: str, runs: Path) -> Path | None:
    """The newest run of a name, which is its folder's or the end of it; None where there is none."""
    fitting = [run.parent for run in runs.glob("*/run.json") if f"-{run.parent.name}".endswith(f"-{name}")]
    return max(fitting, key=lambda folder: folder.name, default=None)


def _missing(name: str) -> str:
    return (
        f"> **Not measured yet.** No run of the name `{name}` is kept in `results/reference/`, so there is no table.\n"
        "> It is drawn by `scripts/docs` as soon as there is one."
    )


def _told(folder: Path, beside: Path, only: str = "", pictures: str = "") -> str:
    """Table, finding, origin and pictures of a run, for a page in the folder `beside`."""
    stored = read_run(folder)
    every = summarise(rows_of(stored.run, stored.records))
    cells = [cell for cell in every if not only or cell.cell.settings.keys() <= {only, "epochs"}]
    if not cells:
        raise UsageError(f"{folder}: no cell differs in nothing but {only}; take another run or axis")
    report = Path(os.path.relpath(folder, beside)) / "report"
    parts = [_table(cells), _finding(cells), _origin(stored.run, report / "summary.md")]
    parts += [f"![{name}]({report.as_posix()}/plots/{name}.png)" for name in pictures.split()]
    return "\n\n".join(filter(None, parts))


def _table(cells: Sequence[CellSummary]) -> str:
    """A column for each axis that varies, then the figures."""
    axes = _varied(cells)
    figures = {header: of for header, of in _FIGURES.items() if header not in axes and any(map(of, cells))}
    lines = [[*axes, *figures], ["---"] * (len(axes) + 1) + ["---:"] * (len(figures) - 1)]
    lines += [[*_values(cell, axes), *(of(cell) for of in figures.values())] for cell in cells]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    _, shared = short_names([cell.cell for cell in cells])
    return f"All cells: {markdown(shared)}\n\n{table}" if shared else table


def _varied(cells: Sequence[CellSummary]) -> list[str]:
    """The axes in which some cells differ; of a single cell the batch."""
    axes = [axis for axis in Cell.model_fields if len({getattr(one.cell, axis) for one in cells}) > 1]
    return axes or ["global_batch"]


def _values(cell: CellSummary, axes: Sequence[str]) -> list[str]:
    return [_value(getattr(cell.cell, axis)) for axis in axes]


def _name(axes: Sequence[str], values: Sequence[str]) -> str:
    return " ".join(f"{axis}={value}" for axis, value in zip(axes, values, strict=True) if value)


def _value(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,}" if type(value) is int else markdown(str(value))


def _finding(cells: Sequence[CellSummary]) -> str:
    """What the seeds show of the accuracies, in the words of every report."""
    learned = [cell for cell in cells if cell.learned_accuracy is not None]
    if not learned:
        return "No cell has a test accuracy: none trained its epochs to their end."
    axes = _varied(cells)
    names = {cell.cell.cell_id: _name(axes, _values(cell, axes)) for cell in cells}
    found = accuracy_finding(learned, names)
    return f"{found[0].upper()}{found[1:]}."


def _origin(run: RunRecord, summary: Path) -> str:
    """When, on what and of which code, with a link to all the rest."""
    return f"Run of {', '.join(_facts(run))}: [all figures, notes and the machine]({summary.as_posix()})."


def _facts(run: RunRecord) -> Iterator[str]:
    told = run.environment
    yield run.created_utc[:10]
    gpus, cpus = told.get("gpus"), f"{told.get('usable_cpus')} CPUs of {told.get('cpu_model')}"
    yield markdown(", ".join(map(str, gpus)) if gpus else cpus)
    packages = told.get("packages") or {}
    yield from (f"TensorFlow {markdown(str(version))}" for name, version in packages.items() if name in _TENSORFLOW)
    if commit := told.get("git_commit"):
        yield f"commit {markdown(str(commit)[:12])}"


_TENSORFLOW = {"tensorflow", "tensorflow-cpu"}
