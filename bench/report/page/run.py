"""The page of one run: a summary in words first, then every number with what stands behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report.account import Account
from bench.report.page.cells import axis_facets, cells_listing
from bench.report.page.document import Image, prepare, render
from bench.report.page.listing import Listing
from bench.report.page.trials import files_kept, links_of, trials_listing
from bench.report.pictures.canvas import Picture
from bench.report.rows import Row
from bench.report.summary import how_to_read

TEMPLATE = "run.html.j2"


@dataclass(frozen=True)
class RunPage:
    """What the page says but for its pictures. `logs` are the paths of failed trials' logs by how records call them.

    `reading` is how to read it, as HTML.
    """

    account: Account
    cells: Listing
    trials: Listing
    logs: Mapping[str, str]
    reading: str


def run_page(account: Account, folder: Path) -> RunPage:
    """The page of a run; `folder` is the run's. Whatever takes time and no pictures is done here."""
    from markdown_it import MarkdownIt  # noqa: PLC0415  # only pages need it

    prepare(TEMPLATE)
    cells, grid, kept = account.cells, account.grid, files_kept(folder)
    axes = axis_facets([cell.cell for cell in cells])
    return RunPage(
        account=account,
        cells=cells_listing(cells, grid, axes),
        trials=trials_listing(cells, [line[0] for line in grid.lines], axes, kept),
        logs=_logs([row for cell in cells for row in cell.rows], kept),
        reading=MarkdownIt("commonmark").render(how_to_read()),
    )


def write_run_page(path: Path, page: RunPage, pictures: Sequence[Picture]) -> None:
    """Write the page with its pictures, whose SVG files are there, inside."""
    images = [Image.of(picture) for picture in pictures]
    text = render(TEMPLATE, account=page.account, page=page, images=images, reading=page.reading)
    path.write_text(text, encoding="utf-8")


def _logs(rows: Sequence[Row], kept: frozenset[str]) -> dict[str, str]:
    """Only where the record calls the log as bench would, and it is there."""
    failed = [row for row in rows if row.record.status != "ok"]
    links = [(row.record.log, dict(links_of(row, kept)).get("log")) for row in failed]
    return {name: href for name, href in links if name and href == f"../{name}"}
