"""What `bench run` shows while it runs: a live display, plain lines, JSON events, or nothing."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from bench.execute.scheduler import Observer
from bench.report.rows import row_of
from bench.store.record import TrialRecord, Window
from bench.trial import Trial

NARROWEST = 110
"""Columns that the table of results gets where the output is not a terminal that says how wide it is."""


def result_console(*, quiet: bool = False) -> Console:
    """The console that results are printed to."""
    console = Console(quiet=quiet)
    return console if console.is_terminal else Console(quiet=quiet, width=NARROWEST)


def say(console: Console, *lines: str) -> None:
    """Print lines as they are: what comes from a file is no markup."""
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def warn(lines: Sequence[str]) -> None:
    """Print what was found damaged to stderr, a line each."""
    for line in lines:
        print(line, file=sys.stderr)


@contextmanager
def observer_for(
    console: Console, budget_s: float | None, folder: Path, *, json: bool, quiet: bool
) -> Iterator[Observer]:
    """The observer that suits the terminal, alive for the run."""
    if json:
        yield JsonEvents(folder)
    elif quiet:
        yield Silent()
    elif console.is_terminal:
        progress = Progress(
            BarColumn(20), TextColumn("{task.completed}/{task.total} trials"), TimeElapsedColumn(),
            TextColumn("{task.description}"), console=console, transient=True,
        )  # fmt: skip
        with progress:
            yield Live(console, progress, budget_s)
    else:
        yield Lines(console)


class Silent:
    """Shows nothing."""

    def trial_started(self, trial: Trial, number: int, total: int) -> None:
        """Show nothing."""

    def window(self, window: Window) -> None:
        """Show nothing."""

    def trial_finished(self, record: TrialRecord) -> None:
        """Show nothing."""


class Lines(Silent):
    """One line per finished trial, for logs and pipes."""

    def __init__(self, console: Console):
        self._console, self._place = console, ""

    def trial_started(self, trial: Trial, number: int, total: int) -> None:  # noqa: ARG002  # Observer names it
        """Remember the place in the run."""
        self._place = f"[{number}/{total}]"

    def trial_finished(self, record: TrialRecord) -> None:
        """Print what came of it."""
        self._console.print(Text(f"{self._place} {outcome(record)}"), soft_wrap=True)


class Live(Lines):
    """A bar over all trials, with the current one's throughput and the time left."""

    def __init__(self, console: Console, progress: Progress, budget_s: float | None):
        super().__init__(console)
        self._progress, self._task = progress, progress.add_task("", total=None)
        self._began, self._budget_s = time.monotonic(), budget_s
        self._trial: Trial | None = None
        self._done, self._executed, self._total = 0, 0, 0

    def trial_started(self, trial: Trial, number: int, total: int) -> None:
        """Show the trial; the worker is starting."""
        super().trial_started(trial, number, total)
        self._trial, self._done, self._total = trial, number - 1, total
        self._show("starting")

    def window(self, window: Window) -> None:
        """Show the window's images/s."""
        assert self._trial is not None
        if window.phase == "first_step":
            return  # compiling is no throughput
        self._show(f"{window.steps * self._trial.cell.global_batch / window.window_s:,.0f} images/s")

    def trial_finished(self, record: TrialRecord) -> None:
        """Move the bar on."""
        super().trial_finished(record)
        self._done += 1
        self._executed += record.wall_s is not None
        self._show("")

    def _show(self, now: str) -> None:
        label = self._trial.cell.label if self._trial else ""
        text = f"{label}: {now} · {self._time_left()}"
        self._progress.update(self._task, completed=self._done, total=self._total, description=text)

    def _time_left(self) -> str:
        """From what trials took so far, or from their budget before the first is done."""
        each = (time.monotonic() - self._began) / self._executed if self._executed else self._budget_s
        if each is None:
            return "time left unknown"
        return f"about {each * (self._total - self._done) / 60:.0f} min left"


class JsonEvents(Silent):
    """One JSON object a line for other programs; the first names the run's folder."""

    def __init__(self, folder: Path):
        self._event("run_started", folder=str(folder))

    def trial_started(self, trial: Trial, number: int, total: int) -> None:
        """Print a `trial_started` event."""
        self._event("trial_started", number=number, total=total, trial=trial.model_dump(), trial_id=trial.trial_id)

    def window(self, window: Window) -> None:
        """Print a `window` event."""
        self._event("window", **window.model_dump())

    def trial_finished(self, record: TrialRecord) -> None:
        """Print a `trial_finished` event with the record, less its windows."""
        self._event("trial_finished", **record.model_dump(exclude={"windows"}))

    @staticmethod
    def _event(event: str, **content: object) -> None:
        print(json.dumps({"event": event, **content}), flush=True)


def outcome(record: TrialRecord) -> str:
    """One trial in one line."""
    row = row_of(record)
    words = [record.trial.cell.label, record.status]
    if row.throughput_images_per_s is not None:
        words.append(f"{row.throughput_images_per_s:,.0f} images/s")
    if row.test_accuracy is not None:
        words.append(f"accuracy {row.test_accuracy:.2%}")
    return " · ".join(words + ([record.reason] if record.reason else []))
