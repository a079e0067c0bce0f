"""`bench run` in a terminal: a board that fills the screen while the run lasts, and leaves it as it was.

It is drawn by whoever brings news, in the parent's only thread, and when the terminal changes its size. No thread wakes
for it, so between two pieces of news it costs nothing. While windows run the next one is under way by then; what is
told before a command (a new epoch, the next measurement) is followed by a run-in or by what is not timed. A terminal
that cannot be drawn on any more ends no run.
"""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType, TracebackType
from typing import Any, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live as Screen
from rich.segment import Segment

from bench.display import warn
from bench.display.board import Board
from bench.display.lines import Silent
from bench.display.pace import Pace
from bench.errors import one_line
from bench.store.record import TrialRecord
from bench.store.windows import Window
from bench.trial import Trial

_RESIZED = getattr(signal, "SIGWINCH", None)  # Windows has none


class Live(Silent):
    """Draws a board, at most twice a second."""

    def __init__(self, console: Console, board: Board, clock: Callable[[], float] = time.monotonic):
        self._board, self._clock, self._pace = board, clock, Pace(clock())
        self._screen = Screen(
            _Drawing(board), console=console, screen=True, auto_refresh=False, redirect_stdout=False,
            redirect_stderr=False,
        )  # fmt: skip
        self._busy = self._missed = False
        self._fault: Exception | None = None
        self._resized_before: Any = None

    def __enter__(self) -> Self:
        self._screen.start()
        if _RESIZED is not None:
            self._resized_before = signal.signal(_RESIZED, self._resized)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if _RESIZED is not None:
            signal.signal(_RESIZED, self._resized_before)
        with suppress(OSError):  # of a terminal that is gone
            self._screen.stop()
        if self._fault is not None:
            told = f"{type(self._fault).__name__}: {self._fault}"
            warn([one_line(f"the live display ended early ({told}); the run went on without it")])

    def trial_started(self, trial: Trial, number: int, total: int) -> None:  # noqa: ARG002  # Observer names it
        """Show what begins, at the latest when it says hello, which is at once."""
        self._hear(partial(self._board.trial_started, trial, number), can_wait=True)

    def doing(self, what: str) -> None:
        """Show what the trial goes on to."""
        self._hear(partial(self._board.doing, what), can_wait=False)

    def window(self, window: Window) -> None:
        """Show the throughput so far; nothing is drawn after a run-in, whose purpose a pause would undo."""
        if window.phase == "window":
            self._hear(partial(self._board.window, window), can_wait=True)
        else:
            self._board.window(window)

    def trial_finished(self, record: TrialRecord) -> None:
        """Show what came of it, at the latest with the next trial, which begins at once."""
        self._hear(partial(self._board.trial_finished, record), can_wait=True)

    def _hear(self, news: Callable[[], None], *, can_wait: bool) -> None:
        """Put news on the board, and draw it where that is not too often; a signal must not find either half done."""
        self._busy = True
        try:
            news()
            if self._pace.allows(self._clock(), can_wait=can_wait) or self._missed:
                self._draw()
        finally:
            self._busy = False
        if self._missed:  # the terminal changed its size meanwhile
            self._hear(lambda: None, can_wait=False)

    def _draw(self) -> None:
        began_s, self._missed = time.thread_time(), False
        if self._fault is None:
            try:
                self._screen.refresh()
            except Exception as error:  # noqa: BLE001  # whatever it is, it is told at the end: no picture ends a run
                self._fault = error
        self._pace.drew(time.thread_time() - began_s)

    def _resized(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  # signal passes both
        """Draw anew at once, or right after the news in whose middle the signal came."""
        self._missed = True
        if not self._busy:
            self._hear(lambda: None, can_wait=False)


class _Drawing:
    """The board's lines as they are when it is drawn."""

    def __init__(self, board: Board):
        self._board = board

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._board.lines(options.max_width, options.size.height):
            for words, style in line:
                yield Segment(words, console.get_style(style) if style else None)
            yield Segment.line()
