"""Bencher Metric Format, Bencher's JSON: a benchmark for each cell, named by its settings, with a value a measure.

https://bencher.dev/docs/reference/bencher-metric-format: benchmark → measure → value, lower_value, upper_value. It has
no place for a cell without figures, which is left out, nor for the machine, which `bencher run --testbed` names.
"""

import json
from pathlib import Path

from bench.errors import UsageError
from bench.report.cells import CellSummary, summarise
from bench.report.exports.pytest_benchmark import setting_words
from bench.report.rows import stored_rows
from bench.store.runs import StoredRun, write_atomically

Metric = dict[str, float]


def write_bmf(stored: StoredRun, path: Path) -> None:
    """Write the figures of every cell of which a trial ended ok. Raises UsageError where there is none."""
    rows = stored_rows(stored)
    cells = [cell for cell in summarise(rows) if cell.ok and cell.throughput_images_per_s is not None]
    if not cells:
        raise UsageError(f"{stored.folder}: no trial ended ok with a throughput; nothing to export to bmf")
    found = {setting_words(cell.cell.settings): _measures(cell) for cell in cells}
    write_atomically(path, json.dumps(found, indent=1, allow_nan=False) + "\n")


def _measures(cell: CellSummary) -> dict[str, Metric]:
    """Names are slugs, with units; an interval is that of the cell's throughput, of whichever kind."""
    values = {
        "throughput-images-per-s": cell.throughput_images_per_s,
        "step-p50-s": cell.step_s_p50,
        "first-step-s": cell.first_step_s,
        "peak-host-memory-bytes": cell.peak_host_memory_bytes,
        "peak-device-memory-bytes": cell.peak_device_memory_bytes,
        "test-accuracy": cell.test_accuracy,
        "time-to-accuracy-s": cell.time_to_accuracy_s,
    }
    measures: dict[str, Metric] = {name: {"value": value} for name, value in values.items() if value is not None}
    if cell.interval:
        bounds = {"lower_value": cell.interval.low, "upper_value": cell.interval.high}
        measures["throughput-images-per-s"] |= bounds
    return measures
