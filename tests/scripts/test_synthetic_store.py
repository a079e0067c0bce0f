"""The made-up store is one that the reader takes for real, of the size that was asked for."""

import runpy
from pathlib import Path

import pytest

from bench.report.cells import summarise
from bench.report.rows import row_of
from bench.store.runs import read_run

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "synthetic_store.py"))


def test_store_has_the_trials_and_windows_that_were_asked_for(tmp_path):
    """Every line is read; the trials are the planned ones, forty of a cell, each with a throughput and its interval."""
    stored = read_run(SCRIPT["write_store"](tmp_path, 90, 50))
    assert stored.damage == []
    planned = {trial.trial_id for trial in stored.run.trials}
    assert {record.trial.trial_id for record in stored.records} == planned
    assert len(planned) == 90
    assert {len(record.windows) for record in stored.records} == {50}
    cells = summarise([row_of(record) for record in stored.records])
    assert [len(cell.rows) for cell in cells] == [40, 40, 10]
    assert all(cell.interval for cell in cells)


@pytest.mark.slow
def test_report_is_measured_with_both_peaks(tmp_path):
    """Of a report that is not timed: PSS of all its processes, and the kernel's own peak of the first, with Python."""
    seconds, pss_bytes, own_bytes = SCRIPT["measure_report"](SCRIPT["write_store"](tmp_path, 40, 8))
    assert seconds > 0
    assert min(pss_bytes, own_bytes) > 2**24
