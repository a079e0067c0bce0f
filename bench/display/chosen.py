"""Which display suits the output of `bench run`."""

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from bench.display.board import Board
from bench.display.console import is_screen
from bench.display.events import JsonEvents
from bench.display.lines import Lines, Silent
from bench.display.live import Live
from bench.plan.estimates import Estimates
from bench.trial import Trial


def display_for(
    console: Console,
    told: Sequence[str],
    folder: Path,
    trials: Sequence[Trial],
    estimates: Callable[[], Estimates],
    *,
    target: float,
    json: bool,
    quiet: bool,
) -> Silent:
    """JSON events, nothing, a live display, or plain lines where nobody watches or nothing can be redrawn."""
    if json:
        return JsonEvents(folder)
    if quiet:
        return Silent()
    if is_screen(console):
        return Live(console, Board(told, str(folder), trials, estimates(), target=target))
    return Lines(console)
