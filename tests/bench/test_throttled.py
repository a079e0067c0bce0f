"""A quota that withholds CPU time from a trial is told on its row: a real control group, which takes root."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bench.measure.cpus import usable_cpus
from bench.report.rows import row_of
from bench.store.runs import read_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
QUOTA_CPUS = len(usable_cpus()) / 6
"""So little that the trial is held back even beside other tests."""
PERIOD_US = 100_000
V1, V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group that has a sixth of the CPUs' time; skips where none can be made, as in most containers."""
    quota_us = round(QUOTA_CPUS * PERIOD_US)
    version = V1 if (V1 / "cgroup.procs").exists() else V2
    folder = version / f"bench{os.getpid()}"
    try:
        folder.mkdir()
        if version == V1:
            (folder / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (folder / "cpu.cfs_quota_us").write_text(str(quota_us))
        else:
            (folder / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
        yield folder
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    finally:
        with suppress(OSError):
            folder.rmdir()


def throttled_s(group: Path) -> float:
    """What the kernel has counted for this group alone."""
    counted = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return int(counted["throttled_time"]) / 1e9 if "throttled_time" in counted else int(counted["throttled_usec"]) / 1e6


def test_trial_whose_cgroup_withholds_cpu_time_is_told(group: Path, tmp_path: Path, small_data: Path) -> None:
    """It gets a sixth of the CPUs, and its row tells how many stood still for want of quota, as the kernel counts."""
    asked = ["--set", "engine=fused", "--set", "global_batch=200", "--epochs", "0", "--time-limit", "8"]
    words = [sys.executable, "-m", "bench.cli", "run", "cell", "--data", small_data, "--out", tmp_path / "out", *asked]
    command = f"echo $$ >{group}/cgroup.procs && exec {shlex.join(map(str, words))}"
    subprocess.run(["sh", "-c", command], check=True, capture_output=True, timeout=150)
    (folder,) = (tmp_path / "out").iterdir()
    (record,) = read_run(folder).records
    assert record.conditions_before is not None
    assert record.conditions_after is not None
    elapsed_s = record.conditions_after.clock_s - record.conditions_before.clock_s
    (told,) = [note for note in row_of(record).suffering if "throttled" in note]
    still = float(told.removeprefix("throttled by its cgroup: ").split()[0])
    # imports and the end are in the group's count, and wait less
    assert still * elapsed_s == pytest.approx(throttled_s(group), rel=0.3)
