"""What `bench run` shows where nobody watches: nothing, or one line per finished trial."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from bench.report.rows import row_of
from bench.store.record import TrialRecord
from bench.store.windows import Window
from bench.trial import Trial


class Silent:
    """Shows nothing: an Observer of a run that is alive within its block, and then hears how the run ended."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def trial_started(self, trial: Trial, number: int, total: int) -> None:
        """Show nothing."""

    def doing(self, what: str) -> None:
        """Show nothing."""

    def window(self, window: Window) -> None:
        """Show nothing."""

    def trial_finished(self, record: TrialRecord) -> None:
        """Show nothing."""

    def interrupted(self, command: str) -> None:
        """Show nothing more than the line on stderr, which says the same: the `command` that finishes the run."""

    def run_finished(self, exit_code: int) -> None:
        """Show nothing: the report is printed already."""


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


def outcome(record: TrialRecord) -> str:
    """One trial in one line."""
    row = row_of(record)
    words = [record.trial.cell.label, record.status]
    if row.throughput_images_per_s is not None:
        words.append(f"{row.throughput_images_per_s:,.0f} images/s")
    if row.test_accuracy is not None:
        words.append(f"accuracy {row.test_accuracy:.2%}")
    return " · ".join(words + ([record.reason] if record.reason else []))
