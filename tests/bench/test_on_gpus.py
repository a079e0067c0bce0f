"""`bench run` on GPUs: the real nvidia-ml-py over a scripted driver, logical CPUs where TensorFlow would have GPUs."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.store.runs import StoredRun, read_run

STAND_IN = Path(__file__).parent / "stand_in"
CURVE_S = [0, 20, 40, 60, 400]
CURVE_W = [100, 400, 150, 300, 300]
POWER = " ".join(f"{second}:{1000 * watts}" for second, watts in zip(CURVE_S, CURVE_W, strict=True))
PAIR = f"""count 2
0.name NVIDIA H100
0.memory 8589934592
0.memory_total 85899345920
0.power {POWER}
0.util 97
0.sm_clock 1980
0.reasons 0
1.name NVIDIA A100
1.major 8
1.power 50000
1.util 20
1.error.energy 3
"""
Rows = list[dict[str, str]]
Run = Callable[..., tuple[StoredRun, Rows, float, "subprocess.CompletedProcess[str]"]]


@pytest.fixture
def run(play: Callable[[str], float], small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs cells of a suite under a script: what was stored, the CSV's rows, the script's second 0, the process."""

    def run(
        script: str, cells: str, *options: str, device: str = "gpu", variables: dict[str, str] | None = None
    ) -> Any:
        began, suite = play(script), tmp_path / "suite.toml"
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(STAND_IN), os.environ["PYTHONPATH"]]))
        for name, value in (variables or {}).items():
            monkeypatch.setenv(name, value)
        defaults = f'device = "{device}"\nglobal_batch = 50\n'
        suite.write_text(f'name = "t"\n[defaults]\n{defaults}{cells}')
        words = ["run", str(suite), "--data", str(small_data), "--out", str(tmp_path / "out"), *options]
        command = [sys.executable, "-m", "bench.cli", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        (folder,) = (tmp_path / "out").iterdir()
        with (folder / "report" / "trials.csv").open() as stream:
            return read_run(folder), list(csv.DictReader(stream)), began, done

    return run


def integral_j(begin_s: float, end_s: float) -> float:
    """The scripted power over some of its seconds."""
    times = np.linspace(begin_s, end_s, 100_000)
    return float(np.trapezoid(np.interp(times, CURVE_S, CURVE_W), times))


def stretch_of(record: Any) -> tuple[float, float]:
    """Where the windows after the last run-in or first step begin and end."""
    windows = list(record.windows)
    last = max(place for place, window in enumerate(windows) if window.phase != "window")
    return windows[last + 1].start_s, windows[-1].start_s + windows[-1].window_s


def test_energy_of_a_trial_is_the_integral_of_the_scripted_power(run: Run) -> None:
    """Within 1 %, over windows that follow each other for 10 s or more; the rest of the figures stand beside it."""
    # somebody computes on the other GPU, which is no reason to refuse this one
    stored, (row,), began, done = run(f"{PAIR}1.process 4242:1000\n", "")
    (record,) = stored.records
    assert (record.status, done.returncode) == ("ok", 0), record.reason
    start_s, end_s = stretch_of(record)
    truth = integral_j(start_s - began, end_s - began)
    assert end_s - start_s >= 10
    assert float(row["energy_j"]) == pytest.approx(truth, rel=0.01)
    assert float(row["energy_integral_j"]) == pytest.approx(truth, rel=0.01)
    images = sum(window.steps * 50 for window in record.windows if window.start_s >= start_s)
    assert float(row["images_per_j"]) == pytest.approx(images / truth, rel=0.01)
    assert (float(row["utilisation_mean"]), row["sm_clock_mhz"]) == (pytest.approx(0.97), "1980.0")
    assert (row["peak_device_memory_bytes"], row["nvml_peak_memory_bytes"]) == (str(3 * 2**30), str(2**33))
    assert "suspicious" not in row["notes"]


def test_gpus_are_those_that_were_asked_for(run: Run) -> None:
    """gpu:1 is the second visible one with its own figures; an idle one is suspicious; those of two are summed."""
    cells = """[[cells]]
device = "gpu:1"
allocator = "cuda_malloc_async"
[[cells]]
strategy = "mirrored"
all_reduce = "ring"
"""
    stored, rows, _, done = run(PAIR, cells, "--time-limit", "8")
    assert done.returncode == 0, done.stdout
    by_device = {row["device"]: row for row in rows}
    second, both = by_device["gpu:1"], by_device["gpu"]
    assert (second["power_w"], second["energy_j"]) == ("50.0", "")
    assert second["effective_allocator"] == "cuda_malloc_async"
    assert "suspicious: the GPU was used 20 % of the time" in second["notes"]
    assert float(both["power_w"]) > 150
    assert both["effective_cross_device_ops"] == "CollectiveAllReduce (RING)"
    for record in stored.records:
        taken = (stored.folder / str(record.log)).read_text()
        assert ("GPU-a0000000-0000" in taken) == (record.trial.cell.device == "gpu")


def test_gpu_lost_in_the_middle_is_told_and_the_run_goes_on(run: Run) -> None:
    """Each trial's row says what is missing, the energy of a stretch that was not seen to its end is empty."""
    cells = "strategy = 'mirrored'\n[axes]\nengine = ['step', 'fused']\n"
    stored, rows, _, _ = run(PAIR + "0.lost 14\n", cells, "--time-limit", "11")
    first, second = sorted(rows, key=lambda row: row["started_utc"])
    assert stored.records[0].status == "ok", stored.records[0].reason
    assert "GPU GPU-a0000000-0000 lost: NVML: GPU is lost" in first["notes"]
    assert (first["energy_j"], second["energy_j"]) == ("", "")
    # the second GPU goes on: what it did is told, and never passed off as the sum of both
    assert (second["status"], second["power_w"]) == ("ok", "")
    assert "GPU GPU-a0000000-0000 lost: NVML: GPU is lost" in second["notes"]


def test_out_of_memory_is_told_in_words_and_other_cells_go_on(run: Run) -> None:
    """The row names the batch, what was asked for and which memory; the exit code says that a trial failed."""
    cells, full = "[axes]\nglobal_batch = [50, 400]\n", {"STAND_IN_OOM_FROM": "400"}
    stored, _, _, done = run(PAIR, cells, "--time-limit", "1", device="gpu:1", variables=full)
    status = {record.trial.cell.global_batch: (record.status, record.reason) for record in stored.records}
    assert status[50][0] == "ok"
    assert status[400][0] == "oom"
    assert str(status[400][1]).startswith(
        "global batch 400: out of memory: asked for 33 MiB (a tensor float[400,26,26,32]); "
    )
    assert "host" not in str(status[400][1])
    assert done.returncode == 1


def test_run_is_finished_on_its_own_gpus_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another allocation of GPUs of the same model is refused with one line that names those of the run."""
    stored, _, _, _ = run(PAIR.replace("A100", "H100"), "", "--time-limit", "1", device="gpu:1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    command = [sys.executable, "-m", "bench.cli", "run", "--resume", str(stored.folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert (
        "it ran on other GPUs of this model; give it these by CUDA_VISIBLE_DEVICES=GPU-a0000000-0000,GPU-b"
        in done.stderr
    )
