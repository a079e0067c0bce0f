"""The page over several runs: what differs and how far it goes, then every cell of every run, and the picture."""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from bench.guard.stored.compare import Compared
from bench.report.further import Further
from bench.report.page.cells import axis_facets, settings_facts
from bench.report.page.document import Image, render
from bench.report.page.listing import Listing
from bench.report.pictures.canvas import Picture
from bench.report.text import shorten
from bench.report.writer import PAGE
from bench.several.comparison.tables import (
    costs_table,
    differences_table,
    findings,
    means_table,
    runs_table,
    speeds_table,
    standing,
)
from bench.several.comparison.together import Together
from bench.store.runs import write_atomically


def write_comparison_page(path: Path, found: Together, pictures: Sequence[Picture]) -> None:
    """Write the page with its pictures, whose SVG files are there, inside."""
    runs, speeds, costs = runs_table(found), speeds_table(found), costs_table(found)
    page = render(
        "comparison.html.j2",
        reference=found.first.letter,
        findings=findings(found),
        standing=standing(found),
        runs=runs,
        reports=_reports(found.runs, runs, path.parent),
        differences=differences_table(found),
        means=means_table(found),
        speeds=speeds,
        cells=_listing(found, speeds, "cells"),
        costs=costs,
        learned=_listing(found, costs, "lines"),
        images=[Image.of(picture) for picture in pictures],
    )
    write_atomically(path, page)


def _listing(found: Together, table: Further, name: str) -> Listing:
    lines = [[shorten(word) for word in line] for line in table.lines]
    return Listing(
        name=name,
        headers=table.headers,
        figures=[False, *[True] * (len(table.headers) - 1)],
        lines=lines,
        notes=[],
        marks=[[] for _ in lines],
        facets=axis_facets(found.cells),
        facts=[settings_facts(found.cells)],
    )


def _reports(runs: Sequence[Compared], table: Further, out: Path) -> dict[str, str]:
    """The runs' own pages by the words that lead there; a colon in a folder's name begins no scheme."""
    words = [line[1] for line in table.lines]
    reports = [run.stored.folder / "report" / PAGE for run in runs]
    return {
        word: quote(os.path.relpath(report, out))
        for word, report in zip(words, reports, strict=True)
        if report.is_file() and words.count(word) == 1
    }
