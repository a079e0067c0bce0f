"""The report of a run on disk: CSV, pictures and Markdown, made from the stored records alone."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.report.beside import beside, worth_it
from bench.report.cells import CellSummary
from bench.report.plots import PLOTS
from bench.report.rows import Row
from bench.report.sheet import write_csv
from bench.report.summary import write_summary
from bench.store.record import RunRecord


def write_report(run: RunRecord, rows: Sequence[Row], cells: Sequence[CellSummary], folder: Path) -> list[Path]:
    """Write `folder`/report anew and return its files; a picture that has no data any more is removed.

    `cells` are the summaries of the rows.
    """
    report = folder / "report"
    pictures = [report / "plots" / name for name in PLOTS]
    (report / "plots").mkdir(parents=True, exist_ok=True)
    drawn = beside(lambda: _draw(pictures, cells)) if worth_it(rows) else None
    with _replacing(report / "trials.csv") as path:
        write_csv(path, rows)
    existing = drawn() if drawn else _draw(pictures, cells)
    with _replacing(report / "summary.md") as path:
        write_summary(path, run, cells, [picture.relative_to(report).as_posix() for picture in existing])
    return [report / "trials.csv", report / "summary.md", *existing]


def _draw(pictures: Sequence[Path], cells: Sequence[CellSummary]) -> list[Path]:
    """Draw the pictures that have data, remove the others, and return those that there are."""
    for picture in pictures:
        with _replacing(picture) as path:
            PLOTS[picture.name](path, cells)
    return [picture for picture in pictures if picture.exists()]


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A temporary neighbour that becomes `path` if the block ends well, so that nobody ever sees half a file.

    A block that ends well without writing removes `path`; one that fails leaves it as it was.
    """
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield temporary
        if temporary.exists():
            temporary.replace(path)
        else:
            path.unlink(missing_ok=True)
    finally:
        temporary.unlink(missing_ok=True)
