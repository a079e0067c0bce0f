"""`bench report`: what stored runs show, on the terminal and as files."""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.display import result_console, say, warn
from bench.errors import UsageError
from bench.report.cells import summarise
from bench.report.further import for_terminal, further_tables
from bench.report.gpu import telemetry_below
from bench.report.largest import largest_batches
from bench.report.rows import rows_of
from bench.report.tables import results_table
from bench.report.writer import PAGE, write_report
from bench.store.runs import StoredRun, read_run


def report_runs(folders: Sequence[Path]) -> int:
    """Report each run; one that cannot be read is told of and skipped. Returns 2 if none could be read, else 0."""
    gc.disable()  # what is read of a run stays until its end: the collector would look through it again and again
    readable, console = 0, result_console()
    for folder in folders:
        try:
            stored = read_run(folder)
        except UsageError as error:
            print(f"bench: {error}{'; skipped' * (len(folders) > 1)}", file=sys.stderr)
            continue
        warn(stored.damage)
        report_run(console, stored)
        readable += 1
        if len(folders) > 1:
            del stored
            gc.collect()
    return 0 if readable else 2


def report_run(console: Console, stored: StoredRun) -> None:
    """Print the tables of a run, write its report, and say where the page is."""
    rows = rows_of(stored.run, stored.records, telemetry_below(stored.folder))
    cells = summarise(rows)
    console.print(results_table(cells, console.width))
    for table in further_tables(cells):
        console.print(for_terminal(table))
    say(console, *largest_batches(stored.run, cells))
    write_report(stored.run, rows, cells, stored.folder)
    say(console, f"Report: {stored.folder / 'report' / PAGE}")
