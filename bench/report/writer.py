"""The report of a run on disk: CSV, pictures and Markdown, made from the stored records alone."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

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
    (report / "plots").mkdir(parents=True, exist_ok=True)
    with _replacing(report / "trials.csv") as path:
        write_csv(path, rows)
    pictures = [report / "plots" / name for name in PLOTS]
    for picture in pictures:
        with _replacing(picture) as path:
            PLOTS[picture.name](path, cells)
    drawn = [picture for picture in pictures if picture.exists()]
    with _replacing(report / "summary.md") as path:
        write_summary(path, run, cells, [picture.relative_to(report).as_posix() for picture in drawn])
    return [report / "trials.csv", report / "summary.md", *drawn]


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
