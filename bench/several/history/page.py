"""The page of a history: what shifted first, then every cell, the pictures and the runs."""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from bench.report.page.cells import axis_facets, settings_facts
from bench.report.page.document import Image, render
from bench.report.page.listing import Listing, Word, facets, facts, figures
from bench.report.pictures.canvas import Picture
from bench.report.text import shorten
from bench.report.writer import PAGE
from bench.several.history.past import PastRun
from bench.several.history.timeline import History
from bench.several.history.told import advice, breaks_told, cells_table, finding, heading, reach, shifts_table
from bench.store.runs import write_atomically

_RUNS = ["run", "began (UTC)", "suite", "host", "git commit", "TensorFlow", "benchmark code", "data set", "break"]
_MACHINE = ["exact unit", "machine class", "machine"]


def write_history_page(path: Path, history: History, pictures: Sequence[Picture]) -> None:
    """Write the page with its pictures, whose SVG files are there, inside."""
    page = render(
        "history.html.j2",
        heading=heading(history),
        finding=finding(history),
        advice=advice(history),
        reach=[line for line in reach(history) if line],
        breaks=breaks_told(history),
        cells=_cells(history),
        shifts=shifts_table(history),
        runs=_runs(history, path.parent),
        images=[Image.of(picture) for picture in pictures],
    )
    write_atomically(path, page)


def _cells(history: History) -> Listing:
    table = cells_table(history)
    lines = [[shorten(word) for word in line] for line in table.lines]
    return Listing(
        name="cells",
        headers=[" ".join(header.split()) for header in table.headers],
        figures=figures(lines) if lines else [],
        lines=lines,
        notes=[],
        marks=[[] for _ in lines],
        facets=axis_facets(history.cells),
        facts=[settings_facts(history.cells)],
        drawn=2,
    )


def _runs(history: History, out: Path) -> Listing:
    breaks = {one.run: one.what for one in history.breaks}
    lines = [
        [
            *(run.name, f"{run.began:%Y-%m-%d %H:%M}", run.suite, run.host, run.commit, run.tensorflow),
            *(run.code, run.data, breaks.get(place, "")),
        ]
        for place, run in enumerate(history.runs)
    ]
    columns: dict[str, Sequence[Word]] = {
        "suite": [run.suite for run in history.runs],
        "TensorFlow": [run.tensorflow for run in history.runs],
    }
    links = [_report_of(run, out) for run in history.runs]
    return Listing(
        name="runs",
        headers=_RUNS,
        figures=[False] * len(_RUNS),
        lines=[[shorten(word) for word in line] for line in lines],
        notes=[],
        marks=[[] for _ in lines],
        facets=facets(columns),
        facts=[facts("Machine", _MACHINE, [[run.unit or "", run.kind, run.machine] for run in history.runs])],
        links=links if any(links) else [],
    )


def _report_of(run: PastRun, out: Path) -> list[tuple[str, str]]:
    """The run's own page, where there is one; a colon in a folder's name begins no scheme."""
    report = run.folder / "report" / PAGE
    return [("report", quote(os.path.relpath(report, out)))] if report.is_file() else []
