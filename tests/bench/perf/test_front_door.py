"""`pytest bench/perf` with made-up sessions, and once with real ones."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.measure.statistics import throughput_interval
from bench.report.exports.benchmark_reader import read_pytest_benchmark

REPOSITORY = Path(__file__).parents[3]
NAME = "bench/perf/test_training.py::test_training[global_batch=50,engine=fused]"


def test_rounds_are_windows(timed):
    """One round for each window that is stored, each timed as its window's seconds per image."""
    (benchmark,) = timed.json["benchmarks"]
    assert benchmark["fullname"] == NAME
    assert benchmark["stats"]["rounds"] == 12
    assert benchmark["options"]["timer"] == "seconds_of_windows_per_image"
    stored = next(one for one in timed.run.records if not one.trial.cell.epochs)
    windows = [one for one in stored.windows if one.phase == "window"]
    assert stored.stopped_by == "rounds"
    assert stored.windows.phase[0] == "first_step"
    assert len(windows) == 12
    seconds = [round_s * one.steps * 50 for round_s, one in zip(benchmark["stats"]["data"], windows, strict=True)]
    assert seconds == pytest.approx([one.window_s for one in windows])
    assert benchmark["stats"]["ops"] == pytest.approx(50 * 64)


def test_extra_info_has_what_rounds_cannot_show(timed):
    """Throughput with its interval, memory, accuracy of the epochs, settings, versions and the keys of the machine."""
    (benchmark,) = timed.json["benchmarks"]
    told = benchmark["extra_info"]
    assert told["throughput_images_per_s"] == pytest.approx(50 * 64)
    bounds = told["throughput_low_images_per_s"], told["throughput_high_images_per_s"]
    steady = told["steady_windows"]
    interval = throughput_interval([13] * steady, [13 / 64] * steady, 50)
    assert bounds == pytest.approx((interval.low, interval.high))
    assert told["peak_host_memory_bytes"] == 2**30
    assert told["peak_device_memory_bytes"] is None
    assert (told["test_accuracy"], told["epochs"]) == (0.97, 2)
    assert told["settings"] == {"global_batch": 50, "engine": "fused", "epochs": 0}
    assert told["effective"]["intra_op_threads"] == 2
    assert told["versions"] == {"numpy": "2.4"}
    environment = timed.run.run.environment
    assert (
        told["machine_class"] == environment["machine_class"]["id"] == timed.json["machine_info"]["machine_class"]["id"]
    )
    assert told["exact_unit"] == environment["exact_unit"] == timed.json["machine_info"]["exact_unit"]
    assert "hz_actual" not in timed.json["machine_info"]["cpu"]


def test_cell_that_cannot_run_is_skipped_with_its_reason(timed):
    """It is no failure, and pytest's summary says why."""
    assert timed.code == 0, timed.out
    assert "SKIPPED" in timed.out
    assert "tf32 is a mode of NVIDIA tensor cores; a CPU has none" in timed.out


@pytest.mark.parametrize("which", ["json", "autosaved"])
def test_saved_file_becomes_the_run_that_it_came_from(timed, which):
    """What --benchmark-json wrote and what was autosaved hold every trial, also the one trained for its accuracy."""
    path = timed.folder / "out.json" if which == "json" else timed.saved[0]
    back, stored = read_pytest_benchmark(path), timed.run
    assert back.damage == []
    without_log = {one.trial.trial_id: one.model_copy(update={"log": None}) for one in stored.records}
    assert {one.trial.trial_id: one for one in back.records} == without_log
    assert len(without_log) == 2
    assert back.run.model_copy(update={"environment_after": None}) == stored.run.model_copy(
        update={"environment_after": None}
    )


@pytest.fixture
def beside(timed, tmp_path):
    """A folder of one's own with what was saved before."""
    shutil.copytree(timed.folder / "saved", tmp_path / "saved")
    return tmp_path


AGAIN = ["--bench-cell", "engine=fused,global_batch=50", "--bench-windows", "12", "--benchmark-compare"]


def test_saved_file_that_says_twice_as_fast_fails_the_comparison(beside, bench_pytest):
    """What is compared with is the file: halve its figures, and the same speed is a regression."""
    (path,) = (beside / "saved").rglob("*.json")
    content = json.loads(path.read_text())
    for name in ("min", "max", "mean", "median"):
        content["benchmarks"][0]["stats"][name] /= 2
    path.write_text(json.dumps(content))
    done = bench_pytest(*AGAIN, "--benchmark-compare-fail=mean:5%")
    assert done.code != 0
    assert "Performance has regressed" in done.out
    assert "machine_info is different" not in done.out
    assert len(done.run.records) == 1, "what was measured is kept all the same"


def test_same_speed_passes_the_comparison_and_is_drawn(beside, bench_pytest):
    """Steps of the same seconds are no regression; the histogram has this run and the saved one."""
    pytest.importorskip("pygal", reason="pygal is not installed; it comes with the extras perf and dev")
    done = bench_pytest(*AGAIN, "--benchmark-compare-fail=median:5%", f"--benchmark-histogram={beside / 'plot'}")
    assert done.code == 0, done.out
    (drawn,) = beside.glob("plot*.svg")
    assert drawn.read_text().count("12 rounds") >= 2


@pytest.mark.parametrize(("fault", "status", "code"), [("nan", "nan", 1), ("interrupt", "interrupted", 2)])
def test_trial_that_fails(bench_pytest, fault, status, code):
    """It fails the test with one line that names its log, is in no file of figures, and is kept with its status."""
    done = bench_pytest("--bench-cell", "global_batch=50", FAKE_FAULT=fault)
    assert done.code == code, done.out
    (record,) = done.run.records
    assert record.status == status
    assert (done.run.folder / record.log).exists()
    assert not (done.folder / "out.json").exists() or done.json["benchmarks"] == []
    if code == 1:
        assert f"{status}: {record.reason}; its log is {done.run.folder / record.log}" in done.out
        assert "Traceback" not in done.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--bench-cell", "engin=fit"], "--bench-cell engin=fit: unknown; did you mean 'engine'?"),
        (["--bench-out", "pyproject.toml"], "--bench-out pyproject.toml: cannot be written"),
    ],
)
def test_bad_input_is_told_without_a_traceback(bench_pytest, words, expected):
    """The exit code of pytest for wrong usage, and a line that names the option and the fix; nothing is trained."""
    done = bench_pytest(*words)
    assert done.code == 4, done.out
    assert expected in done.out
    assert "Traceback" not in done.out
    assert not (done.folder / "runs").exists()


def test_nothing_is_timed_unless_the_folder_is_named():
    """`pytest`, and `pytest bench`, collect none of it."""
    words = [sys.executable, "-m", "pytest", "bench", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert "test_training" not in done.stdout
    assert done.returncode == 5, "no tests were collected"


@pytest.mark.slow
def test_real_session(bench_pytest, small_data, seconds_until_gone):
    """With a real worker: rounds are the stored windows, their sum is the windows' seconds; no process is left."""
    done = bench_pytest(
        "--bench-cell", "global_batch=50", "--bench-windows", "8", "--bench-data", str(small_data), fake=False
    )
    assert done.code == 0, done.out
    (benchmark,), (record,) = done.json["benchmarks"], done.run.records
    windows = [one for one in record.windows if one.phase == "window"]
    assert benchmark["stats"]["rounds"] == len(windows) == 8
    images = [one.steps * 50 for one in windows]
    total = math.fsum(round_s * count for round_s, count in zip(benchmark["stats"]["data"], images, strict=True))
    assert total == pytest.approx(math.fsum(one.window_s for one in windows))
    assert benchmark["extra_info"]["peak_host_memory_bytes"] == record.peak_host_memory_bytes > 2**27
    assert {"keras", "numpy"} <= set(benchmark["extra_info"]["versions"])
    assert benchmark["extra_info"]["gap_share"] < 0.1
    seconds_until_gone(record.pid)
