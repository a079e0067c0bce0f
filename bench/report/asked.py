"""What was asked of a run and how much of it there is, in plain words that Markdown and HTML dress."""

from collections import Counter
from collections.abc import Sequence

from bench.report.hosts import hosts_remarks
from bench.report.rows import Row
from bench.store.record import RunRecord


def asked_of(run: RunRecord, rows: Sequence[Row], absent: int) -> list[tuple[str, str]]:
    """Topics with what is to be said of each; a remark that speaks for itself has an empty topic.

    `absent` is how many planned trials have no record.
    """
    return [
        ("begun", run.created_utc),
        ("trials", _trials(run, rows, absent)),
        ("data", f"{run.data or 'the embedded copy'} (sha256 {run.data_sha256[:12]}…)"),
        ("time budget", f"{_budget(run.trial_budget_s)} per trial, {_budget(run.run_budget_s)} for the run"),
        *(("", remark) for remark in hosts_remarks(run)),
    ]


def missing(run: RunRecord, rows: Sequence[Row]) -> int:
    """How many planned trials have no record."""
    return len({trial.trial_id for trial in run.trials} - {row.record.trial.trial_id for row in rows})


def _trials(run: RunRecord, rows: Sequence[Row], absent: int) -> str:
    """How many there are, and how they ended, the most frequent first."""
    counts = Counter(row.record.status for row in rows)
    counted = ", ".join(f"{count:,} {status}" for status, count in counts.most_common()) or "none"
    told = f"{len(run.trials):,} planned, {len(rows):,} recorded ({counted})"
    return f"{told}; {absent:,} have no record: the run did not reach them" if absent else told


def _budget(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds:g} s"
