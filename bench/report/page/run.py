"""The page of one run: a summary in words first, then every number with what stands behind it."""

from collections.abc import Mapping, Sequence
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from bench.report.asked import asked_of
from bench.report.cells import CellSummary
from bench.report.evidence import bounds_table, failures_table, machine_tables
from bench.report.findings import Finding, findings_of, headlines
from bench.report.further import Further, further_tables
from bench.report.page.cells import axis_facets, cells_listing
from bench.report.page.document import render
from bench.report.page.listing import Listing
from bench.report.page.trials import files_kept, links_of, trials_listing
from bench.report.pictures.canvas import Picture
from bench.report.rows import Row
from bench.report.summary import how_to_read
from bench.report.tables import grid_of
from bench.store.record import RunRecord


@dataclass(frozen=True)
class RunPage:
    """All that the page says but for its pictures. `logs` are the paths of failed trials' logs by how they are called."""

    run: RunRecord
    asked: list[tuple[str, str]]
    headlines: list[str]
    findings: list[Finding]
    shared: str
    remarks: list[str]
    cells: Listing
    trials: Listing
    further: list[Further]
    failures: Further
    machine: list[Further]
    logs: Mapping[str, str]


def run_page(run: RunRecord, cells: Sequence[CellSummary], folder: Path) -> RunPage:
    """What the page of a run says; `folder` is the run's."""
    rows, kept, grid = [row for cell in cells for row in cell.rows], files_kept(folder), grid_of(cells)
    names = [line[0] for line in grid.lines]
    return RunPage(
        run=run,
        asked=asked_of(run, rows),
        headlines=headlines(run, cells),
        findings=findings_of(run, cells),
        shared=grid.shared,
        remarks=grid.remarks,
        cells=cells_listing(cells, grid),
        trials=trials_listing(cells, names, axis_facets([cell.cell for cell in cells]), kept),
        further=[table for table in (bounds_table(cells), *further_tables(cells)) if table.lines],
        failures=failures_table(rows),
        machine=machine_tables(run),
        logs=_logs(rows, kept),
    )


def write_run_page(path: Path, page: RunPage, pictures: Sequence[Picture]) -> None:
    """Write the page with its pictures, whose SVG files are there, inside."""
    from markdown_it import MarkdownIt  # noqa: PLC0415  # only pages need it

    images = [(picture, _inlined(picture.stem.with_suffix(".svg"))) for picture in pictures]
    reading = MarkdownIt("commonmark").render(how_to_read())
    path.write_text(render("run.html.j2", page=page, images=images, reading=reading), encoding="utf-8")


def _inlined(svg: Path) -> str:
    """An SVG as the address of an image, in which no script runs and no id meets another's."""
    return f"data:image/svg+xml;base64,{b64encode(svg.read_bytes()).decode()}"


def _logs(rows: Sequence[Row], kept: frozenset[str]) -> dict[str, str]:
    """Only where the record calls the log as bench would, and it is there."""
    failed = [row for row in rows if row.record.status != "ok"]
    links = [(row.record.log, dict(links_of(row, kept)).get("log")) for row in failed]
    return {name: href for name, href in links if name and href == f"../{name}"}
