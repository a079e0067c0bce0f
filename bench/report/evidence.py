"""The tables that say what stands behind the results: bounds, failures, ceilings, hosts, the machine."""

from collections.abc import Sequence

from bench.report.bounds import HEADERS as BOUNDS_HEADERS
from bench.report.bounds import bounds_lines
from bench.report.ceilings import HEADERS as CEILINGS_HEADERS
from bench.report.ceilings import ceilings_lines
from bench.report.cells import CellSummary
from bench.report.further import Further
from bench.report.hosts import HEADERS as HOSTS_HEADERS
from bench.report.hosts import hosts_lines
from bench.report.machine import MOST_FACTS, machine_table, more_in_run
from bench.report.rows import Row
from bench.report.text import shorten
from bench.store.record import RunRecord


def bounds_table(cells: Sequence[CellSummary]) -> Further:
    """Every cost of every cell that was diagnosed."""
    told = ("In percent of the step, with 95 % intervals.",)
    return Further("What bounds each cell", BOUNDS_HEADERS, bounds_lines(cells), told)


def failures_table(rows: Sequence[Row]) -> Further:
    """The trials that did not end ok, with the reason and where to read on."""
    lines = [
        [
            record.trial.cell.label,
            record.trial.trial_id,
            record.status,
            shorten(record.reason or "no reason was recorded"),
            shorten(record.log or ""),
        ]
        for record in (row.record for row in rows)
        if record.status != "ok"
    ]
    return Further("Failures and unsupported cells", ["cell", "trial", "status", "reason", "log"], lines, ())


def machine_tables(run: RunRecord) -> list[Further]:
    """What the machine can do at its best, the hosts where it was not the parent's, and the facts of it."""
    return [table for table in (_ceilings(run), _hosts(run)) if table.lines] + [machine_table(run)]


def _ceilings(run: RunRecord) -> Further:
    """With what disturbed the measuring of them."""
    if run.ceilings is None:
        return Further("Ceilings", CEILINGS_HEADERS, [], ())
    told = f"Best window (median window), measured {run.ceilings.measured_utc} by bench env --measure."
    cautions = [f"Perhaps too low: {shorten(spoiler)}" for spoiler in run.ceilings.spoilers]
    return Further("Ceilings", CEILINGS_HEADERS, ceilings_lines(run.ceilings.measured), (told, *cautions))


def _hosts(run: RunRecord) -> Further:
    """A line for each host that was not the parent's."""
    lines = [[shorten(word) for word in line] for line in hosts_lines(run.environment)]
    told = "The facts below are of the first host; those in which another differs are in run.json."
    return Further("Hosts", HOSTS_HEADERS, lines[:MOST_FACTS], (more_in_run(len(lines)), told))
