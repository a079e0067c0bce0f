"""`bench report`: what stored runs show, on the terminal and as files."""

import gc
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from rich.console import Console

from bench.display import result_console, say, warn
from bench.errors import UsageError
from bench.report.account import Account, account_of
from bench.report.cells import summarise
from bench.report.further import fitted, for_terminal, further_tables
from bench.report.largest import largest_batches
from bench.report.pictures.canvas import import_libraries
from bench.report.rows import stored_rows
from bench.report.tables import results_table
from bench.report.writer import PAGE, write_report
from bench.store.runs import StoredRun, read_run


def report_runs(folders: Sequence[Path]) -> int:
    """Report each run; one that cannot be read is told of and skipped. Returns 2 if none could be read, else 0."""
    gc.disable()  # what is read of a run stays until its end: the collector would look through it again and again
    console, count = result_console(), 0
    for count, stored in enumerate(readable_runs(folders), 1):  # noqa: B007  # how many there were
        report_run(console, stored)
        if len(folders) > 1:
            del stored
            gc.collect()
    return 0 if count else 2


def readable_runs(folders: Sequence[Path]) -> Iterator[StoredRun]:
    """Each run in turn; what is damaged is told on stderr, and a run that cannot be read is skipped."""
    for folder in folders:
        try:
            stored = read_run(folder)
        except UsageError as error:
            print(f"bench: {error}{'; skipped' * (len(folders) > 1)}", file=sys.stderr)
            continue
        warn(stored.damage)
        yield stored


def report_run(console: Console, stored: StoredRun) -> None:
    """Print the tables of a run, write its report, and say where the page is."""
    rows = stored_rows(stored, meanwhile=import_libraries)
    cells = summarise(rows)

    @cache  # once
    def account() -> Account:
        return account_of(stored.run, cells)

    @cache  # likewise
    def show() -> None:
        console.print(results_table(account().grid, console.width))
        for table in further_tables(cells):
            console.print(for_terminal(fitted(table, console.width)))
        say(console, *largest_batches(stored.run, cells))

    try:
        write_report(stored.run, rows, cells, stored.folder, meanwhile=show, account=account)
    except OSError:
        show()
        raise
    say(console, f"Report: {stored.folder / 'report' / PAGE}")
