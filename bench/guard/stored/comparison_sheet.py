"""Comparisons for programs: a line for each cell of each run beside the reference, as CSV."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.guard.stored.compare import Compared, Comparison, Joined, measured
from bench.guard.stored.prices import cost_of, images_for_one
from bench.report.cells import CellSummary
from bench.report.text import spreadsheet
from bench.trial import Cell

_FIGURES = (
    "throughput_images_per_s",
    "peak_host_memory_bytes",
    "peak_device_memory_bytes",
    "images_per_j",
    "test_accuracy",
    "seeds",
    "time_to_accuracy_s",
)
_SIDES = ("reference", "other")
_OF_A_SIDE = ["status", "processes", *_FIGURES, "images_for_one", "cost_to_accuracy"]
_RATIOS = ("host_memory", "device_memory", "images_per_j", "accuracy_points", "time_to_accuracy")
COLUMNS = [
    *("reference", "other", "cell_id", "label", *Cell.model_fields, "other_device", "in", "functional"),
    *("throughput_ratio", "throughput_ratio_low", "throughput_ratio_high", "interval_over"),
    *(name if name == "accuracy_points" else f"{name}_ratio" for name in _RATIOS),
    *(f"{side}_{name}" for side in _SIDES for name in _OF_A_SIDE),
]


def write_comparison_csv(path: Path, comparisons: Sequence[Comparison]) -> None:
    """Write one line per cell; ratios are other ÷ reference, accuracy_points other - reference in percentage points.

    What is not known is empty. Text is written so that no spreadsheet runs it as a formula.
    """
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for comparison in comparisons:
            for line in _lines(comparison):
                writer.writerow([_plain(line.get(name)) for name in COLUMNS])


def _lines(comparison: Comparison) -> Iterator[dict[str, Any]]:
    for joined in comparison.joined:
        yield _line(comparison, joined.reference, joined.other) | _ratios(joined)
    for one, other in comparison.unmeasured:
        yield _line(comparison, one, other)
    for one in comparison.only_reference:
        yield _line(comparison, one, None)
    for other in comparison.only_other:
        yield _line(comparison, None, other)


def _line(comparison: Comparison, one: CellSummary | None, other: CellSummary | None) -> dict[str, Any]:
    known = one or other
    assert known, "it is in one of them"
    cell = known.cell
    return {
        "reference": comparison.reference.name,
        "other": comparison.other.name,
        "cell_id": cell.cell_id,
        "label": cell.label,
        **cell.model_dump(),
        "other_device": other.cell.device if other else None,
        "in": "both" if one and other else "reference" if one else "other",
        **_side("reference", comparison.reference, one),
        **_side("other", comparison.other, other),
    }


def _side(side: str, run: Compared, cell: CellSummary | None) -> dict[str, Any]:
    if cell is None:
        return {}
    figures: dict[str, Any] = {"status": cell.status}
    if measured(cell):
        figures |= {name: getattr(cell, name) for name in _FIGURES}
        figures["processes"] = len(cell.counted)
        figures["images_for_one"] = images_for_one(cell.throughput_images_per_s, run.price_per_h)
        figures["cost_to_accuracy"] = cost_of(cell.time_to_accuracy_s, run.price_per_h)
    return {f"{side}_{name}": value for name, value in figures.items()}


def _ratios(joined: Joined) -> dict[str, Any]:
    ratio = joined.throughput
    bounds = asdict(ratio.interval) if ratio.interval else {}
    return {
        "functional": joined.functional,
        "throughput_ratio": ratio.value,
        "throughput_ratio_low": bounds.get("low"),
        "throughput_ratio_high": bounds.get("high"),
        "interval_over": ratio.over,
        **{name if name == "accuracy_points" else f"{name}_ratio": getattr(joined, name) for name in _RATIOS},
    }


def _plain(value: object) -> object:
    return spreadsheet(value) if isinstance(value, str) else value
