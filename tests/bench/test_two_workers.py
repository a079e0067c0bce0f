"""Two workers on this machine, from `bench run` to `bench forecast`."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from bench.measure.communication import communication_of
from bench.measure.cpus import apart, usable_cpus
from bench.store.runs import read_run

SUITE = """
name = "two"
[defaults]
strategy = "multi_worker_mirrored"
engine = "fused"
cpu_threads = 1
epochs = 0
[axes]
workers = [1, 2]
[[cells]]
global_batch = 16
[[cells]]
per_replica_batch = 16
[budget]
trial_s = 6
"""


def bench(*words: object) -> str:
    command = [sys.executable, "-m", "bench.cli", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(len(usable_cpus()) < 2, reason="two workers with a core of their own take two")
def test_scaling_communication_and_forecast(tmp_path: Path, small_data: Path):
    """Each worker has a core of its own, also the single one; all-reduces are measured, told, and forecast from."""
    suite = tmp_path / "two.toml"
    suite.write_text(SUITE)
    told = bench("run", suite, "--data", small_data, "--out", tmp_path / "results")
    (folder,) = (tmp_path / "results").iterdir()
    records = {record.trial.cell.label: record for record in read_run(folder).records}
    assert {record.status for record in records.values()} == {"ok"}, told
    for record in records.values():
        cpus = record.effective.cpus
        assert len(cpus) == record.trial.cell.workers
        assert all(words.rpartition(" ")[2].isdecimal() for words in cpus)
        assert apart(cpus)
        found = communication_of(record.collectives or [], record.effective.parameters, record.trial.cell.replicas)
        assert (found is None) == (record.trial.cell.replicas == 1)
        assert found is None or 0 < found.gradient.seconds < 1
    assert "functional, not scaling" not in told
    with (folder / "report" / "trials.csv").open() as stream:
        assert sum(bool(line["all_reduce_s"]) for line in csv.DictReader(stream)) == 2
    assert "## Communication" in (folder / "report" / "summary.md").read_text()
    assert "weak" in bench("forecast", folder, "--replicas", "2,512")
    assert (folder / "report" / "plots" / "forecast.png").exists()
