"""The report of a run on disk: CSV, pictures, Markdown and a page, made from the stored records alone."""

from collections.abc import Callable, Sequence
from pathlib import Path

from bench.report.account import Account, account_of
from bench.report.beside import at_once, beside, worth_it
from bench.report.cells import CellSummary
from bench.report.gpu import telemetry_below
from bench.report.page.run import run_page, write_run_page
from bench.report.pictures.canvas import import_libraries
from bench.report.pictures.catalogue import drawing, files_of
from bench.report.rows import Row
from bench.report.sheet import write_csv
from bench.report.summary import write_summary
from bench.store.record import RunRecord
from bench.store.runs import replacing

PAGE = "report.html"
"""Below report/, the file to open first."""


def write_report(
    run: RunRecord,
    rows: Sequence[Row],
    cells: Sequence[CellSummary],
    folder: Path,
    meanwhile: Callable[[], None] = lambda: None,
    account: Callable[[], Account] | None = None,
) -> list[Path]:
    """Write `folder`/report anew and return its files; a picture that has no data any more is removed.

    `cells` are the summaries of the rows; `meanwhile` is called once the pictures of a large run are under way, and
    after it `account`, which gives what there is to say of the run, if that is not to be found out here.
    """
    report = folder / "report"
    report.mkdir(parents=True, exist_ok=True)
    if large := worth_it(rows):
        import_libraries()
    with drawing(report / "plots", cells, telemetry_below(folder), beside if large else at_once) as drawn:
        meanwhile()
        with replacing(report / "trials.csv") as path:
            write_csv(path, rows)
        told = account() if account else account_of(run, cells)
        page = run_page(told, folder)
        pictures = drawn()
    images = [picture.stem.with_suffix(".png") for picture in pictures]
    with replacing(report / "summary.md") as path:
        write_summary(path, told, [image.relative_to(report).as_posix() for image in images])
    with replacing(report / PAGE) as path:
        write_run_page(path, page, pictures)
    return [report / PAGE, report / "trials.csv", report / "summary.md", *files_of(pictures)]
