"""What the live display shows, as lines that fit a terminal of any size. No terminal is touched here."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bench.display.finished import Finished, Line
from bench.display.running import Running
from bench.display.time_left import UNKNOWN, total_words
from bench.plan.estimates import Estimate, Estimates
from bench.report.text import shorten
from bench.store.record import TrialRecord
from bench.store.windows import Window
from bench.trial import Trial

_BAR = 20
_ROOM = 8
"""Lines that must be free beneath what is most important, before there is any of the rest."""


class Board:
    """The state of a run as a person sees it; `told` is where it runs and what may spoil it, `folder` its folder.

    `trials` are those that are to be executed now, in order. Moments are told, not how long ago they were, so that what
    nobody redraws stays true.
    """

    def __init__(
        self,
        told: Sequence[str],
        folder: str,
        trials: Sequence[Trial],
        estimates: Estimates,
        *,
        target: float,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ):
        # what hosts say of themselves goes to the terminal as it is here
        self._told, self._folder, self._trials = [shorten(line) for line in told], shorten(folder), trials
        self._estimates, self._target, self._now = estimates, target, now
        self._finished = Finished(trials)
        self._running: Running | None = None
        self._began = self._since = now()
        self._trains_since: datetime | None = None
        self._left: list[Estimate | None] = []

    def trial_started(self, trial: Trial, number: int) -> None:
        """The trial of this number begins; those behind it are estimated anew from all that is known by now."""
        self._running, self._began = Running(trial, self._target), self._now()
        self._since, self._trains_since = self._began, None
        left = [trial, *(one for one in self._trials[number:] if one.unsupported is None)]
        self._left = [self._estimates.of(one.cell) for one in left]

    def doing(self, what: str) -> None:
        """The trial goes on to something else."""
        assert self._running is not None
        self._running.doing, self._since = what, self._now()

    def window(self, window: Window) -> None:
        """The trial did one more window."""
        assert self._running is not None
        self._running.hear(window)
        self._trains_since = self._trains_since or self._now()

    def trial_finished(self, record: TrialRecord) -> None:
        """The trial is stored."""
        self._finished.add(record)
        self._running, self._left = None, self._left[1:]
        if record.status == "ok" and record.wall_s is not None:
            self._estimates.add(record.trial.cell, record.wall_s)

    def lines(self, width: int, height: int) -> list[Line]:
        """At most `height` lines; the most important ones where there is room for few."""
        progress, basis = self._progress()
        current, head = self._current(width), self._head()
        if height < len(current) + _ROOM:
            return [progress, *current][:height]
        if height < len(head) + len(current) + _ROOM:
            head = []
        above: list[Line] = [*head, progress, basis, [("", "")], *current, [("", "")]]
        return above + self._finished.lines(width, height - len(above))

    def _head(self) -> list[Line]:
        where, *cautions = self._told
        shared = [f"All cells: {self._finished.shared}"] if self._finished.shared else []
        rest = [*((line, "yellow") for line in cautions[:2]), *((line, "dim") for line in [*shared, self._folder])]
        return [[(where, "bold")], *([part] for part in rest), [("", "")]]

    def _progress(self) -> tuple[Line, Line]:
        """How far the run is and how long it goes on, and beneath from what that is known."""
        done, total = len(self._finished), len(self._trials)
        filled = _BAR * done // max(total, 1)
        bar = [("━" * filled, "green"), ("╌" * (_BAR - filled), "dim")]
        left, basis = total_words(self._time_left())
        told = "time left unknown" if left == UNKNOWN else f"{left} left{self._until()}"
        from_what = f"of the trials left: {basis}" if basis else ""
        return [*bar, (f" {done} of {total} trials", ""), (f" · {told}", "bold")], [(from_what, "dim")]

    def _time_left(self) -> list[Estimate | None]:
        """Of the trials left; what the first of them took already is off its own."""
        if self._running is None or not self._left or (first := self._left[0]) is None:
            return self._left
        # a budget begins when the first step is done
        began = self._trains_since if first.basis == "the budget" else self._began
        spent_s = (self._now() - began).total_seconds() if began else 0.0
        return [replace(first, seconds=max(0.0, first.seconds - spent_s)), *self._left[1:]]

    def _until(self) -> str:
        """When it is done, by the clock on the wall; nothing where all that is known of some trial is a bound."""
        left = self._time_left()
        if not left or any(one is None or one.basis == "the budget" for one in left):
            return ""
        end = self._now() + timedelta(seconds=sum(one.seconds for one in left if one))
        return f", until {end:%H:%M}" if end.date() == self._now().date() else f", until {end:%a %H:%M}"

    def _current(self, width: int) -> list[Line]:
        """Three lines, whatever is known, so that nothing jumps."""
        if self._running is None:
            return [[("", "")]] * 3
        name = self._finished.names[self._running.trial.trial_id]
        speed, certainty = self._running.words(width)
        what = f" · {self._running.doing}, since {self._since:%H:%M:%S}"
        return [[(name, "bold cyan"), (what, "")], [(speed, "")], [(certainty, "")]]
