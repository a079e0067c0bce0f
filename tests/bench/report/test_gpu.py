"""GPU figures of stored trials, from telemetry files."""

import csv
import json

import pytest

from bench.report.cells import summarise
from bench.report.gpu import telemetry_below
from bench.report.rows import rows_of
from bench.report.sheet import write_csv
from bench.report.tables import grid_of

STEP_S = 0.1
UUID = "GPU-a"
COLUMNS = ["power_w", "energy_j", "utilisation", "memory_used_bytes"]


@pytest.fixture
def rows(tmp_path, plan, build):
    """The rows of one trial of 200 windows, with what a sampler wrote beside it."""

    def make(*lines, telemetry="telemetry/anything", **rest):
        record = build.record({"device": "gpu"}, step_s=[STEP_S] * 200, telemetry=telemetry, pid=7, **rest)
        (tmp_path / "telemetry").mkdir(exist_ok=True)
        path = tmp_path / "telemetry" / f"{record.trial.trial_id}.jsonl"
        path.write_text("\n".join(json.dumps(line) for line in lines))
        return rows_of(plan(record.trial), [record], telemetry_below(tmp_path))

    return make


@pytest.fixture
def samples(build):
    """Ten samples a second over the whole trial: 250 W, and the counter that goes with them."""
    record = build.record({"device": "gpu"}, step_s=[STEP_S] * 200)
    first, last = record.windows.start_s[0], record.windows.start_s[-1] + record.windows.window_s[-1]
    times = [first - 1 + 0.1 * place for place in range(round(10 * (last - first + 2)))]
    header = {"gpus": [UUID], "columns": COLUMNS}
    return [header, *([at_s, 0, 250.0, 250.0 * (at_s - first), 0.93, 2**33] for at_s in times)]


def test_figures_stand_on_the_row(rows, samples):
    """250 W over a stretch of windows give its energy; the worker's own memory is that of its process."""
    (row,) = rows(*samples, {"processes": 0, "at_s": 1, "of": [[7, 2**32], [8, 5]]})
    gpu = row.gpu
    assert gpu.energy_j == pytest.approx(250 * gpu.energy_stretch_s, rel=1e-3)
    assert gpu.images_per_j == pytest.approx(row.throughput_images_per_s / 250, rel=0.02)
    assert (gpu.power_w, gpu.utilisation_mean) == (pytest.approx(250.0), pytest.approx(0.93))
    assert (gpu.nvml_peak_memory_bytes, gpu.nvml_worker_peak_memory_bytes) == (2**33, 2**32)


def test_figures_stand_in_table_and_csv(rows, samples, tmp_path):
    """Memory of NVML beside that of the allocator, use, power and images per joule."""
    found = rows(*samples)
    grid = grid_of(summarise(found))
    line = dict(zip(grid.headers, grid.lines[0], strict=True))
    assert (line["NVML\nMiB"], line["GPU\nuse %"], line["GPU\nW"]) == ("8,192", "93.0", "250")
    write_csv(tmp_path / "t.csv", found)
    (written,) = csv.DictReader((tmp_path / "t.csv").open())
    assert float(written["power_w"]) == pytest.approx(250)
    assert float(written["energy_j"]) == pytest.approx(found[0].gpu.energy_j)


def test_trial_without_gpu_has_no_gpu_columns(build):
    """Nothing is told of a CPU, and the table has no empty columns for it."""
    grid = grid_of(build.cells(build.record(step_s=[STEP_S] * 20)))
    assert not [header for header in grid.headers if "GPU" in header or "NVML" in header or "/J" in header]


def test_missing_telemetry_is_told(rows):
    """The trial ran on a GPU, and why nothing is known of it stands on its row."""
    (row,) = rows({"gpus": [], "reason": "NVML: Driver Not Loaded"})
    assert row.notes[-1] == "no telemetry: NVML: Driver Not Loaded"
    assert row.gpu.power_w is None


def test_lost_gpu_and_dear_sampling_are_told(rows, samples):
    """The reason is NVML's; more than half a percent of a core is not passed over."""
    (row,) = rows(*samples, {"lost": 0, "at_s": 9.0, "reason": "GPU is lost"}, {"cpu_s": 0.2, "span_s": 20})
    assert f"GPU {UUID} lost: GPU is lost" in row.notes
    assert "sampling the GPUs took 1.00 % of a core" in row.notes


def test_path_of_a_record_leads_nowhere_else(rows, samples):
    """A file from others may name any path; only the run's own telemetry is read."""
    (row,) = rows(*samples, telemetry="../../etc/passwd")
    assert row.gpu.power_w == pytest.approx(250.0)


def test_invalid_trial_has_no_gpu_figures(rows, samples):
    """What ran with other settings than asked says nothing about its cell's energy."""
    (row,) = rows(*samples, status="invalid")
    assert row.gpu.energy_j is None
    assert row.gpu.power_w is None


def test_gpu_that_told_nothing_leaves_no_sum(rows, samples):
    """The power of one GPU of two would pass for that of both."""
    header, *lines = samples
    (row,) = rows(header | {"gpus": [UUID, "GPU-b"]}, *lines)
    assert (row.gpu.power_w, row.gpu.energy_j) == (None, None)
    assert (row.gpu.nvml_peak_memory_bytes, row.gpu.utilisation_p95) == (None, None)
