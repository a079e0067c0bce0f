"""The listing of trials: one line for each, with its status, figures, reason, and the files that it left."""

from collections.abc import Callable, Sequence, Set
from itertools import chain
from pathlib import Path

from bench.report.cells import CellSummary
from bench.report.page.listing import Facet, Listing, Word, facets
from bench.report.rows import Row
from bench.report.text import mebibytes, percent, shorten, significant, step_ms, with_interval

_LONGEST_REASON = 200
_MOST_NOTES = 20
"""Of one trial; a file may hold any number."""
_WORDS = {"cell", "status", "stopped by", "reason"}
_FIGURES: dict[str, Callable[[Row], str]] = {
    "seed": lambda row: str(row.record.trial.seed),
    "repeat": lambda row: str(row.record.trial.repeat),
    "images/s (95 % interval)": lambda row: with_interval(row.throughput_images_per_s, row.interval),
    "step ms p50 / p90": lambda row: step_ms(row.step_s_p50, row.step_s_p90),
    "first step s": lambda row: significant(row.record.first_step_s),
    "host MiB": lambda row: mebibytes(row.record.peak_host_memory_bytes),
    "device MiB": lambda row: mebibytes(row.record.peak_device_memory_bytes),
    "test acc %": lambda row: percent(row.test_accuracy),
    "s to target": lambda row: significant(row.time_to_accuracy_s),
    "stopped by": lambda row: row.record.stopped_by or "",
    "reason": lambda row: shorten(row.record.reason or "", _LONGEST_REASON),
}
_ONLY_WHERE_TELLING = {"seed", "repeat", "device MiB", "s to target", "reason"}


def trials_listing(
    cells: Sequence[CellSummary], names: Sequence[str], axes: Sequence[Facet], kept: Set[str]
) -> Listing:
    """The trials of each cell in turn; `names` and `axes` are the cells', `kept` as of `files_kept`."""
    rows = [row for cell in cells for row in cell.rows]
    of = list(chain.from_iterable([place] * len(cell.rows) for place, cell in enumerate(cells)))
    columns = {header: [figure(row) for row in rows] for header, figure in _FIGURES.items()}
    columns = {header: words for header, words in columns.items() if header not in _ONLY_WHERE_TELLING or _tell(words)}
    statuses = [row.record.status for row in rows]
    lines = [list(line) for line in zip([names[place] for place in of], statuses, *columns.values(), strict=True)]
    headers = ["cell", "status", *columns]
    notes, marks = _notes(rows)
    own: dict[str, Sequence[Word]] = {"status": statuses, "seed": [row.record.trial.seed for row in rows]}
    return Listing(
        name="trials",
        headers=headers,
        figures=[header not in _WORDS for header in headers],
        lines=lines,
        notes=notes,
        marks=marks,
        facets=[*facets(own), *(Facet(axis.name, axis.values, [axis.of[place] for place in of]) for axis in axes)],
        links=[links_of(row, kept) for row in rows] if kept else [],
        within="cells",
        drawn=headers.index("images/s (95 % interval)"),
    )


def _tell(words: Sequence[str]) -> bool:
    """Whether trials differ in them, or have more to say than that they are the first of their kind."""
    return bool({*words} - {"", "0"})


def _notes(rows: Sequence[Row]) -> tuple[list[str], list[list[int]]]:
    """Each note once, and for each row the numbers of its own, from 1 on."""
    numbers: dict[str, int] = {}
    marks = [
        [numbers.setdefault(shorten(note), len(numbers) + 1) for note in dict.fromkeys(row.notes[:_MOST_NOTES])]
        for row in rows
    ]
    return list(numbers), marks


def files_kept(folder: Path) -> frozenset[str]:
    """The logs and telemetry of a run that are there, as paths below its folder."""
    found = [(name, folder / name) for name in ("logs", "telemetry")]
    return frozenset(f"{name}/{path.name}" for name, inside in found if inside.is_dir() for path in inside.iterdir())


def links_of(row: Row, kept: Set[str]) -> list[tuple[str, str]]:
    """What a trial left, as words and paths from report/; the paths are ours, whatever the record says."""
    trial_id = row.record.trial.trial_id
    own = {"log": f"logs/{trial_id}.log", "telemetry": f"telemetry/{trial_id}.jsonl"}
    return [(word, f"../{path}") for word, path in own.items() if path in kept]
