"""A record holds only what can be believed and written down again."""

import json
import math
from typing import Any

import pytest
from pydantic import ValidationError

from bench.errors import UsageError
from bench.store.record import SCHEMA_VERSION, TrialRecord, Window
from bench.store.runs import RunWriter, create_run, read_run
from bench.trial import Cell, Trial

WINDOW: dict[str, Any] = {
    "phase": "window", "start_s": 1.0, "window_s": 0.2, "steps": 10, "loss": 0.1, "accuracy": 0.9, "short": False
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("window_s", 0.0),
        ("window_s", -1.0),
        ("window_s", math.inf),
        ("start_s", math.nan),
        ("loss", math.inf),
        ("accuracy", None),
        ("steps", 0),
        ("steps", 2**53),
        ("steps", 10**400),
        ("steps", True),
        ("steps", "10"),
        ("phase", "warm-up"),
    ],
)
def test_window_that_cannot_be(field: str, value: Any) -> None:
    """A window of no seconds, no steps, or numbers that no clock gives is refused."""
    assert Window.model_validate(WINDOW).steps == 10
    with pytest.raises(ValidationError, match=field):
        Window.model_validate(WINDOW | {field: value})


@pytest.mark.parametrize("batch", [True, "200", 200.0, 0, 10**9])
def test_stored_cell_is_checked_as_strictly_as_a_planned_one(batch: Any) -> None:
    """A trial in a file can have no setting that a suite could not have."""
    trial = Trial(cell=Cell()).model_dump()
    trial["cell"]["global_batch"] = batch
    with pytest.raises(ValidationError, match="global_batch"):
        TrialRecord.model_validate({"trial": trial, "status": "ok"})


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 10**300])
def test_newer_schema_is_refused(tmp_path: Any, plan: Any, version: int) -> None:
    """A run of a newer schema is refused in one line that names both versions, whatever else it holds."""
    writer: RunWriter = create_run(tmp_path, plan())
    source = writer.folder / "run.json"
    source.write_text(json.dumps({"schema_version": version, "everything": "else"}))
    with pytest.raises(UsageError) as caught:
        read_run(writer.folder)
    told = f"{source}: schema_version {version} is newer than this bench reads ({SCHEMA_VERSION})"
    assert str(caught.value) == told


@pytest.mark.parametrize("name", ["run.json", "trials.jsonl"])
def test_folder_in_place_of_a_file(tmp_path: Any, plan: Any, name: str) -> None:
    """A folder where a file should be is told in one line."""
    writer: RunWriter = create_run(tmp_path, plan())
    (writer.folder / name).unlink(missing_ok=True)
    (writer.folder / name).mkdir()
    with pytest.raises(UsageError, match=f"{name}: Is a directory"):
        read_run(writer.folder)


def test_folder_that_holds_no_run(tmp_path: Any) -> None:
    """A folder without run.json is refused with what to give instead."""
    with pytest.raises(UsageError, match=r"run\.json: No such file or directory; give a run folder"):
        read_run(tmp_path)
