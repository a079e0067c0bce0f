"""A record holds only what can be believed and written down again."""

import json
import math
from typing import Any

import pytest
from pydantic import ValidationError

from bench.errors import UsageError
from bench.store.record import SCHEMA_VERSION, HarnessCost, TrialRecord
from bench.store.runs import RunWriter, create_run, read_run
from bench.store.windows import Window, WindowColumns
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


COLUMNS: dict[str, list[Any]] = {name: [value, value] for name, value in WINDOW.items()}


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("window_s", "[0.2, 0.0]"),
        ("window_s", "[0.2, -1.0]"),
        ("window_s", "[0.2, 1e999]"),
        ("window_s", '[0.2, "0.2"]'),
        ("start_s", "[NaN, 1.0]"),
        ("loss", "[0.1, -Infinity]"),
        ("accuracy", "[0.1, null]"),
        ("accuracy", "[0.1, true]"),
        ("steps", "[0, 10]"),
        ("steps", f"[{2**53}, 10]"),
        ("steps", f"[{10**400}, 10]"),
        ("steps", "[true, 10]"),
        ("steps", "[10.5, 10]"),
        ("phase", '["warm-up", "window"]'),
        ("short", "[0, 1]"),
        ("steps", "10"),
        ("steps", "null"),
        ("steps", "[10]"),
        ("short", "[]"),
    ],
)
def test_column_that_cannot_be(tmp_path: Any, plan: Any, column: str, text: str) -> None:
    """What no window could say is damage of the line in columns too, and so are columns of unequal lengths."""
    writer: RunWriter = create_run(tmp_path, plan())
    whole = {"trial": Trial(cell=Cell()).model_dump(), "status": "ok", "windows": COLUMNS}
    line = json.dumps(whole)
    (writer.folder / "trials.jsonl").write_text(f"{line}\n")
    stored = read_run(writer.folder)
    assert [list(record.windows) for record in stored.records] == [[Window.model_validate(WINDOW)] * 2]
    kept = json.dumps(COLUMNS[column])
    (writer.folder / "trials.jsonl").write_text(line.replace(f'"{column}": {kept}', f'"{column}": {text}') + "\n")
    damaged = read_run(writer.folder)
    assert damaged.records == []
    assert len(damaged.damage) == 1
    assert "line 1 ignored: windows" in damaged.damage[0]
    assert "\n" not in damaged.damage[0]
    assert len(damaged.damage[0]) < 1500


def test_windows_are_stored_in_columns() -> None:
    """A file holds one list for each field of a window, as results/README.md says, and gives the windows back."""
    windows = [Window.model_validate(WINDOW | {"steps": steps, "loss": None}) for steps in (1, 2, 3)]
    record = TrialRecord(trial=Trial(cell=Cell()), status="ok", windows=WindowColumns.of(windows))
    stored = json.loads(record.model_dump_json())["windows"]
    assert stored.keys() == Window.model_fields.keys()
    assert (stored["steps"], stored["loss"], stored["phase"]) == ([1, 2, 3], [None] * 3, ["window"] * 3)
    assert list(TrialRecord.model_validate_json(record.model_dump_json()).windows) == windows


@pytest.mark.parametrize(
    "one", [{"fused": 0.1}, {"as_is": 0.0}, {"as_is": math.inf}, {"as_is": "0.1"}, {"as_is": 0.1, "fused": -1.0}]
)
def test_round_of_a_diagnosis_that_cannot_be(one: Any) -> None:
    """A round without the trial as it is, or of no seconds, could say nothing; a probe not known here is no harm."""
    stored = {"trial": Trial(cell=Cell()).model_dump(), "status": "ok"}
    assert TrialRecord.model_validate(stored | {"diagnosis": [{"as_is": 0.1, "newer probe": 0.2}]}).diagnosis
    with pytest.raises(ValidationError, match=r"diagnosis\.0"):
        TrialRecord.model_validate(stored | {"diagnosis": [one]})


@pytest.mark.parametrize(("watchdog_cpu_s", "share"), [(0.25, 0.01), (None, 0.0075)])
def test_cost_of_the_harness_is_of_one_cpu(watchdog_cpu_s: float | None, share: float) -> None:
    """A second of one CPU can hold up a step on all of them for a second, however many there are."""
    for cpus in (1, 64):
        cost = HarnessCost(span_s=100.0, cpus=cpus, parent_cpu_s=0.75, watchdog_cpu_s=watchdog_cpu_s, exchanged_bytes=1)
        assert cost.cpu_share == share


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
        read_run(tmp_path / "nowhere" / "near")
