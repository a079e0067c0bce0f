"""A run in plain words: what was asked, found, measured and lost. Markdown and the page only dress it."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.asked import asked_of, missing
from bench.report.cells import CellSummary
from bench.report.evidence import bounds_table, failures_table, machine_tables
from bench.report.findings import Finding, findings_of, headlines
from bench.report.further import Further, further_tables
from bench.report.tables import Grid, grid_of
from bench.store.record import RunRecord


@dataclass(frozen=True)
class Account:
    """What a report says but for its pictures, in the order in which it says it; only tables with lines are in it."""

    run: RunRecord
    cells: Sequence[CellSummary]
    asked: list[tuple[str, str]]
    headlines: list[str]
    findings: list[Finding]
    grid: Grid
    further: list[Further]
    failures: Further
    machine: list[Further]


def account_of(run: RunRecord, cells: Sequence[CellSummary]) -> Account:
    """Everything there is to say of a run; `cells` are the summaries of its rows."""
    rows = [row for cell in cells for row in cell.rows]
    absent, grid = missing(run, rows), grid_of(cells)
    return Account(
        run=run,
        cells=cells,
        asked=asked_of(run, rows, absent),
        headlines=headlines(run, cells),
        findings=findings_of(run, cells, absent, grid.cost),
        grid=grid,
        further=[table for table in (bounds_table(cells), *further_tables(cells)) if table.lines],
        failures=failures_table(rows),
        machine=machine_tables(run),
    )
