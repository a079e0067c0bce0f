"""The report of a run on disk: CSV, pictures and Markdown, made from the stored records alone."""

from collections.abc import Sequence
from pathlib import Path

from bench.report.beside import beside, worth_it
from bench.report.cells import CellSummary
from bench.report.pictures.catalogue import draw_all, files_of
from bench.report.rows import Row
from bench.report.sheet import write_csv
from bench.report.summary import write_summary
from bench.store.record import RunRecord
from bench.store.runs import replacing


def write_report(run: RunRecord, rows: Sequence[Row], cells: Sequence[CellSummary], folder: Path) -> list[Path]:
    """Write `folder`/report anew and return its files; a picture that has no data any more is removed.

    `cells` are the summaries of the rows.
    """
    report = folder / "report"
    report.mkdir(parents=True, exist_ok=True)
    drawn = beside(lambda: draw_all(report / "plots", cells)) if worth_it(rows) else None
    with replacing(report / "trials.csv") as path:
        write_csv(path, rows)
    pictures = drawn() if drawn else draw_all(report / "plots", cells)
    images = [picture.stem.with_suffix(".png") for picture in pictures]
    with replacing(report / "summary.md") as path:
        write_summary(path, run, cells, [image.relative_to(report).as_posix() for image in images])
    return [report / "trials.csv", report / "summary.md", *files_of(pictures)]
