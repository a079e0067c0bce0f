"""pytest-benchmark's JSON: a benchmark for each trial, a round for each of its windows.

A window's length is calibrated anew in every process, so that its seconds say nothing about speed. What stands for the
seconds of a round is therefore seconds per image of its window: lower is faster whatever the window's length or the
batch, and `ops`, which is rounds ÷ total, reads as images/s. `pytest bench/perf` times the same, under the same names.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.report.exports.benchmark_stats import benchmark_stats
from bench.report.rows import Row, stored_rows
from bench.store.record import RunRecord, TrialRecord
from bench.store.runs import StoredRun, write_atomically
from bench.store.windows import Window
from bench.trial import Trial

GROUP = "seconds per trained image (OPS: images/s)"
TIMER = "seconds_of_windows_per_image"
TIMED_UNIT = "seconds of a window / images trained in it"
SHAPE_VERSION = "5.3.1"
"""Of pytest-benchmark, whose JSON this is."""
TEST = "bench/perf/test_training.py::test_training"


def write_pytest_benchmark(stored: StoredRun, path: Path) -> None:
    """Write a run as pytest-benchmark would save it; trials that failed or have no timed window are kept, not shown."""
    text = json.dumps(as_pytest_benchmark(stored), indent=1, allow_nan=False)
    write_atomically(path, text + "\n")


def as_pytest_benchmark(stored: StoredRun) -> dict[str, Any]:
    """The content of the file."""
    rows = stored_rows(stored)
    names = names_of([record.trial for record in stored.records])
    shown = [row for row in rows if row.record.status == "ok" and row.throughput_images_per_s is not None]
    environment = stored.run.environment
    return {
        "machine_info": {
            "node": environment.get("host"),
            "python_version": environment.get("python"),
            "system": environment.get("system"),
            "cpu": {"brand_raw": environment.get("cpu_model")},
            **machine_keys(environment),
        },
        "commit_info": {
            "id": environment.get("git_commit") or "unversioned",
            "time": None,
            "author_time": None,
            "dirty": environment.get("git_dirty"),
            "project": "mnist-cnn-bench",
            "branch": "(unknown)",
        },
        "benchmarks": [_benchmark(row, names[row.record.trial.trial_id], environment) for row in shown],
        "datetime": stored.run.created_utc,
        "version": SHAPE_VERSION,
        "bench": beside_benchmarks(stored, [row.record.trial.trial_id for row in shown]),
    }


def beside_benchmarks(stored: StoredRun, shown: Iterable[str]) -> dict[str, Any]:
    """What of a run has no place in a benchmark: the run itself, and the trials that are not among the `shown`."""
    left = set(shown)
    others = [record for record in stored.records if record.trial.trial_id not in left]
    return {"run": _dumped(stored.run), "without_benchmark": [_dumped(record) for record in others]}


def names_of(trials: Sequence[Trial]) -> dict[str, str]:
    """A name for each trial by its id: the settings that differ from their defaults, as the command line takes them.

    Epochs, which windows are timed without, are named only where trials differ in nothing else.
    """
    short = {trial.trial_id: _words(trial, epochs=False) for trial in trials}
    often = Counter(short.values())
    return {
        trial.trial_id: name if often[name := short[trial.trial_id]] == 1 else _words(trial, epochs=True)
        for trial in trials
    }


def extra_info(row: Row, environment: Mapping[str, Any], accuracy: Row | None = None) -> dict[str, Any]:
    """What is known of a trial beside its rounds; None where it was not measured.

    `accuracy` is another trial that was trained for it, where the timed one was not.
    """
    record, learned = row.record, accuracy or row
    interval = row.interval
    return {
        "timed_unit": TIMED_UNIT,
        "throughput_images_per_s": row.throughput_images_per_s,
        "throughput_low_images_per_s": interval.low if interval else None,
        "throughput_high_images_per_s": interval.high if interval else None,
        "interval_over": "windows" if interval else None,
        "steady_windows": row.steady_windows,
        "warmup_windows": row.warmup_windows,
        "gap_share": row.gap_share,
        "first_step_s": record.first_step_s,
        "import_host_memory_bytes": record.import_host_memory_bytes,
        "peak_host_memory_bytes": record.peak_host_memory_bytes,
        "peak_device_memory_bytes": record.peak_device_memory_bytes,
        "test_accuracy": learned.test_accuracy,
        "test_loss": learned.test_loss,
        "epochs": learned.record.trial.cell.epochs,
        "trial_id": record.trial.trial_id,
        "cell_id": record.trial.cell.cell_id,
        "settings": record.trial.cell.settings,
        "seed": record.trial.seed,
        "repeat": record.trial.repeat,
        "effective": record.effective.model_dump(mode="json", exclude_defaults=True) if record.effective else None,
        "versions": record.versions,
        "machine_class": machine_keys(environment)["machine_class"].get("id"),
        "exact_unit": environment.get("exact_unit"),
        "notes": list(row.notes),
        "bench_record": _dumped(record),
    }


def machine_keys(environment: Mapping[str, Any]) -> dict[str, Any]:
    """The two keys that tell machines apart: facts that describe, and the exact unit."""
    described = environment.get("machine_class")
    return {
        "machine_class": described if isinstance(described, dict) else {},
        "exact_unit": environment.get("exact_unit"),
    }


def seconds_per_image(window: Window, global_batch: int) -> float:
    """What a round is timed as."""
    return window.window_s / (window.steps * global_batch)


def timed_windows(record: TrialRecord) -> list[Window]:
    """The windows that are rounds, in order."""
    return [window for window in record.windows if window.phase == "window"]


def _benchmark(row: Row, name: str, environment: Mapping[str, Any]) -> dict[str, Any]:
    batch = row.record.trial.cell.global_batch
    data = [seconds_per_image(window, batch) for window in timed_windows(row.record)]
    return {
        "group": GROUP,
        "name": f"test_training[{name}]",
        "fullname": f"{TEST}[{name}]",
        "params": {"cell": name},
        "param": name,
        "extra_info": extra_info(row, environment),
        "options": {"timer": TIMER},
        "stats": benchmark_stats(data),
    }


def setting_words(settings: Mapping[str, str | float]) -> str:
    """Settings as the command line takes them; `default` where there are none."""
    return ",".join(f"{name}={_word(value)}" for name, value in settings.items()) or "default"


def _words(trial: Trial, *, epochs: bool) -> str:
    settings = {name: value for name, value in trial.cell.settings.items() if epochs or name != "epochs"}
    settings |= {name: value for name in ("seed", "repeat") if (value := getattr(trial, name))}
    if epochs:
        settings["epochs"] = trial.cell.epochs
    return setting_words(settings)


def _word(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _dumped(model: RunRecord | TrialRecord) -> dict[str, Any]:
    return model.model_dump(mode="json")
