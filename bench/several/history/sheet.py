"""A history for programs: a line for each cell of each run, as CSV."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.report.text import spreadsheet
from bench.several.history.past import PastCell, PastRun
from bench.several.history.series import FIGURES
from bench.several.history.timeline import History
from bench.trial import Cell

_RECORDED = ("status", "processes", "throughput_images_per_s")
_FURTHER = ("peak_host_memory_bytes", "peak_device_memory_bytes", "test_accuracy")
COLUMNS = [
    *("run", "began_utc", "suite", "exact_unit", "machine_class", "host", "machine", "git_commit", "tensorflow"),
    *("code_sha256", "data_sha256", "break", "cell_id", "label", *Cell.model_fields),
    *(*_RECORDED, "throughput_low_images_per_s", "throughput_high_images_per_s", *_FURTHER),
    *(f"{name}_level_shift" for name in FIGURES),
]


def write_history_csv(path: Path, history: History) -> None:
    """Write a line for each cell of each run, the oldest run first.

    What is not known is empty. A level shift stands with the first run of the new level, as a share of the old one, of
    an accuracy as its difference. Text is written so that no spreadsheet runs it as a formula.
    """
    shifts = {
        (one.cell.cell_id, f"{name}_level_shift", shift.after): shift.change
        for name, figure in FIGURES.items()
        for one in history.series
        if one.figure is figure
        for shift in one.shifts
    }
    breaks = {one.run: one.what for one in history.breaks}
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for place, run in enumerate(history.runs):
            for cell_id, cell in run.cells.items():
                marks = {name: shifts.get((cell_id, name, place)) for name in COLUMNS if name.endswith("_level_shift")}
                line = {**dict(_facts(run)), "break": breaks.get(place), **_figures(cell), **marks}
                writer.writerow([_plain(line.get(name)) for name in COLUMNS])


def _facts(run: PastRun) -> Iterator[tuple[str, Any]]:
    yield from {
        "run": run.name,
        "began_utc": run.began.isoformat(),
        "suite": run.suite,
        "exact_unit": run.unit,
        "machine_class": run.kind,
        "host": run.host,
        "machine": run.machine,
        "git_commit": run.commit,
        "tensorflow": run.tensorflow,
        "code_sha256": run.code,
        "data_sha256": run.data,
    }.items()


def _figures(cell: PastCell) -> dict[str, Any]:
    figures = cell.figures
    bounds = (cell.interval.low, cell.interval.high) if cell.interval else (None, None)
    return {
        "cell_id": figures.cell.cell_id,
        "label": figures.cell.label,
        **figures.cell.model_dump(),
        **{name: getattr(figures, name) for name in (*_RECORDED, *_FURTHER)},
        "throughput_low_images_per_s": bounds[0],
        "throughput_high_images_per_s": bounds[1],
    }


def _plain(value: object) -> object:
    return spreadsheet(value) if isinstance(value, str) else value
