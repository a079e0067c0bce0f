"""The console that results are printed to, and lines that are no markup."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

NARROWEST = 110
"""Columns that the table of results gets where the output is not a terminal that says how wide it is."""
_UNBROKEN = 10_000
"""Columns of what other programs read line by line."""


def result_console(*, quiet: bool = False) -> Console:
    """The console that results are printed to."""
    console = Console(quiet=quiet)
    return console if console.is_terminal else Console(quiet=quiet, width=NARROWEST)


def is_screen(console: Console) -> bool:
    """Whether it is a terminal that can be redrawn; FORCE_COLOR makes no terminal of a pipe."""
    return console.is_interactive and console.file.isatty() and console.encoding.startswith("utf")


def print_unbroken(table: Table) -> None:
    """Print a table with each of its lines in one, however long, for whoever greps."""
    console = Console(width=_UNBROKEN)
    with console.capture() as captured:
        console.print(table)
    say(console, *(line.rstrip() for line in captured.get().splitlines()))


def say(console: Console, *lines: str) -> None:
    """Print lines as they are: what comes from a file is no markup."""
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def warn(lines: Sequence[str]) -> None:
    """Print what was found damaged to stderr, a line each."""
    for line in lines:
        print(line, file=sys.stderr)
