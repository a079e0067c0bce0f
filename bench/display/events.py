"""`bench run --json`: one JSON object a line for other programs."""

import json
from pathlib import Path

from bench.display.lines import Silent
from bench.store.record import TrialRecord
from bench.store.windows import Window
from bench.trial import Trial


class JsonEvents(Silent):
    """Events from `run_started`, which names the run's folder, to `run_finished`, which has the exit code."""

    def __init__(self, folder: Path):
        self._folder = folder
        event("run_started", folder=str(folder))

    def trial_started(self, trial: Trial, number: int, total: int) -> None:
        """Print a `trial_started` event."""
        event("trial_started", number=number, total=total, trial=trial.model_dump(), trial_id=trial.trial_id)

    def doing(self, what: str) -> None:
        """Print a `doing` event."""
        event("doing", doing=what)

    def window(self, window: Window) -> None:
        """Print a `window` event."""
        event("window", **window.model_dump())

    def trial_finished(self, record: TrialRecord) -> None:
        """Print a `trial_finished` event with the record, less its windows."""
        content = record.model_dump(exclude={"windows"})
        event("trial_finished", trial_id=record.trial.trial_id, **content)

    def interrupted(self, command: str) -> None:
        """Print an `interrupted` event with the command that finishes the run."""
        event("interrupted", folder=str(self._folder), resume=command)

    def run_finished(self, exit_code: int) -> None:
        """Print the `run_finished` event, always the last."""
        report = str(self._folder / "report")
        event("run_finished", exit_code=exit_code, folder=str(self._folder), report=report)


def event(kind: str, **content: object) -> None:
    """Print one event."""
    print(json.dumps({"event": kind, **content}), flush=True)
