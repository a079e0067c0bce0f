"""`bench report`: the tables of stored runs on the terminal, and their report/ written anew."""

import gc
from collections.abc import Sequence
from pathlib import Path

from bench.display import result_console, say, warn
from bench.report.cells import summarise
from bench.report.further import for_terminal, further_tables
from bench.report.gpu import telemetry_below
from bench.report.largest import largest_batches
from bench.report.rows import rows_of
from bench.report.tables import results_table
from bench.report.writer import write_report
from bench.store.runs import read_run


def report_runs(folders: Sequence[Path]) -> int:
    """Report on runs, all of which are read before the first is told of. Raises UsageError for what is no run."""
    gc.disable()  # what is read stays until the end: the collector would look through it again and again
    stored, console = [read_run(folder) for folder in folders], result_console()
    for one in stored:
        warn(one.damage)
        rows = rows_of(one.run, one.records, telemetry_below(one.folder))
        cells = summarise(rows)
        console.print(results_table(cells, console.width))
        for table in further_tables(cells):
            console.print(for_terminal(table))
        say(console, *largest_batches(one.run, cells))
        write_report(one.run, rows, cells, one.folder)
        print(f"Report: {one.folder / 'report'}")
    return 0
