"""JUnit's XML: a test case for each planned trial, so that a CI server shows which failed and why."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.report.exports.pytest_benchmark import names_of
from bench.report.junit import Case, Outcome, as_junit_xml
from bench.report.rows import Row, stored_rows
from bench.report.text import shorten
from bench.store.record import RunRecord
from bench.store.runs import StoredRun, write_atomically
from bench.trial import Status, Trial

_OUTCOMES: Mapping[Status, Outcome] = {
    "ok": "",
    "unsupported": "skipped",
    "skipped": "skipped",
    "interrupted": "skipped",
}
"""Of what is no failure; every other status is one."""


def write_junit(stored: StoredRun, path: Path) -> None:
    """Write a case for each trial: ok passes, what failed is a failure of its status, what was not run is skipped.

    An oom that was searched for is no failure. Figures are properties of a case; what was not measured has none.
    """
    run = stored.run
    rows = {row.record.trial.trial_id: row for row in stored_rows(stored)}
    planned = {trial.trial_id: trial for trial in [*run.trials, *(record.trial for record in stored.records)]}
    names = names_of([*planned.values()])
    suite = f"bench.{run.suite}"
    cases = [_case(run, suite, names[key], trial, rows.get(key)) for key, trial in planned.items()]
    attributes = {"timestamp": run.created_utc, "hostname": str(run.environment.get("host") or "")}
    write_atomically(path, as_junit_xml(suite, cases, attributes))


def _case(run: RunRecord, suite: str, name: str, trial: Trial, row: Row | None) -> Case:
    if row is None:
        return Case(classname=suite, name=name, outcome="skipped", message="planned, and not executed")
    status = row.record.status
    searched = status == "oom" and run.max_batch
    outcome: Outcome = "skipped" if searched else _OUTCOMES.get(status, "failure")
    return Case(
        classname=suite,
        name=name,
        outcome=outcome,
        kind=status if outcome else "",
        message=f"{status}: {shorten(row.record.reason or 'no reason is known')}" if outcome else "",
        time_s=row.record.wall_s,
        properties=_properties(trial, row),
    )


def _properties(trial: Trial, row: Row) -> dict[str, str]:
    """The figures and settings of a trial, units in their names."""
    record, interval = row.record, row.interval
    figures: dict[str, Any] = {
        "trial_id": trial.trial_id,
        "status": record.status,
        "throughput_images_per_s": row.throughput_images_per_s,
        "throughput_low_images_per_s": interval.low if interval else None,
        "throughput_high_images_per_s": interval.high if interval else None,
        "first_step_s": record.first_step_s,
        "peak_host_memory_bytes": record.peak_host_memory_bytes,
        "peak_device_memory_bytes": record.peak_device_memory_bytes,
        "test_accuracy": row.test_accuracy,
        "test_loss": row.test_loss,
        "time_to_accuracy_s": row.time_to_accuracy_s,
        "log": record.log,
        "notes": "; ".join(row.notes) or None,
    }
    return {name: str(value) for name, value in figures.items() if value is not None}
