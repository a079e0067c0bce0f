"""How long trials took in earlier runs, read from what is below a folder of runs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.store.durations import MOST_RUNS, earlier_durations
from bench.store.record import RunRecord, TrialRecord
from bench.store.runs import RunWriter
from bench.trial import Cell, Trial

UNIT = {"host": "here", "exact_unit": "0123456789abcdef"}
CELL = Cell(global_batch=64)


@pytest.fixture
def store(tmp_path: Path, plan: Callable[..., RunRecord]) -> Callable[..., Path]:
    """Writes a run of one trial that took some seconds, named by its number."""

    def write(number: int, wall_s: float | None, status: str = "ok", **rest: Any) -> Path:
        trial = Trial(cell=CELL)
        folder = tmp_path / f"20260101T{number:06d}Z-here-t"
        folder.mkdir()
        writer = RunWriter(folder)
        writer.write_run(plan(trial, **({"environment": UNIT} | rest)))
        writer.append(TrialRecord.model_validate({"trial": trial, "status": status, "wall_s": wall_s}))
        return folder

    return write


def test_trials_that_ran_to_their_end_on_this_unit_count(
    store: Callable[..., Path], plan: Callable[..., RunRecord], tmp_path: Path
) -> None:
    """Not those of another machine, that failed, or that were asked under another budget or with other data."""
    store(1, 10.0)
    store(2, 11.0, environment=UNIT | {"exact_unit": "fedcba9876543210"})
    store(3, 12.0, status="error")
    store(4, None, status="unsupported")
    store(5, 13.0, trial_budget_s=5.0)
    store(6, 14.0, data_sha256="11")
    store(7, 15.0)
    run = plan(Trial(cell=CELL), environment=UNIT)
    assert earlier_durations(tmp_path, run) == [(CELL, 15.0), (CELL, 10.0)]
    assert earlier_durations(tmp_path, run.model_copy(update={"environment": {"host": "here"}})) == []
    assert earlier_durations(tmp_path / "nowhere", run) == []


def test_the_newest_runs_are_read_within_the_time(
    store: Callable[..., Path], plan: Callable[..., RunRecord], tmp_path: Path
) -> None:
    """At most 20, and none once the time is up."""
    for number in range(MOST_RUNS + 5):
        store(number, float(number))
    run = plan(Trial(cell=CELL), environment=UNIT)
    took = [wall_s for _, wall_s in earlier_durations(tmp_path, run)]
    assert took == [float(number) for number in range(MOST_RUNS + 4, 4, -1)]
    now_s = iter(range(1000))
    assert len(earlier_durations(tmp_path, run, clock=lambda: next(now_s) / 10)) in {1, 2}


def test_damaged_and_hostile_files_are_passed_over(
    store: Callable[..., Path], plan: Callable[..., RunRecord], tmp_path: Path
) -> None:
    """A torn line, another program's JSON, a pipe that never ends: what can be read counts."""
    first = store(1, 10.0)
    with (first / "trials.jsonl").open("a") as stream:
        stream.write('{"trial": {"cell"')
    (store(2, 11.0) / "run.json").write_text("[1, 2]")
    pipe = store(3, 12.0) / "trials.jsonl"
    pipe.unlink()
    os.mkfifo(pipe)
    (tmp_path / "20260102T000000Z-a-file").write_text("no folder")
    (tmp_path / "notes").mkdir()
    assert earlier_durations(tmp_path, plan(Trial(cell=CELL), environment=UNIT)) == [(CELL, 10.0)]
