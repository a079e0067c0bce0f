"""The table of results for programs: one line per trial as CSV, with every setting and figure there is."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel

from bench.host import Conditions
from bench.measure.diagnosis import COSTS
from bench.measure.roofline import Place
from bench.measure.telemetry import GpuFigures
from bench.protocol.effective import EffectiveSettings
from bench.report.rows import Row
from bench.report.text import spreadsheet
from bench.store.record import HarnessCost, TrialRecord
from bench.trial import Cell

# read off the schema, so that a figure added there is never forgotten here
_NESTED: dict[str, type[BaseModel]] = {
    "effective": EffectiveSettings,
    "harness": HarnessCost,
    "conditions_before": Conditions,
    "conditions_after": Conditions,
}
_NO_COLUMN = {"trial", "windows", "epochs", "diagnosis", "collectives", "computing", "hosts", *_NESTED}
_ELSEWHERE = {"record", "steady", "interval", "notes", "suffering", "diagnosis", "work", "gpu"}


def _types(model: type[BaseModel], left_out: set[str] | None = None) -> dict[str, Any]:
    return {name: field.annotation for name, field in model.model_fields.items() if name not in (left_out or set())}


_IDS = dict.fromkeys(["trial_id", "cell_id", "label"], str)
_SETTINGS = _types(Cell) | {"per_replica_batch": int}
_RECORDED = _types(TrialRecord, _NO_COLUMN)
_DERIVED = {name: kind for name, kind in get_type_hints(Row).items() if name not in _ELSEWHERE}
_INTERVAL = {"throughput_low_images_per_s": float, "throughput_high_images_per_s": float, "interval_over": str}
_PLACE = get_type_hints(Place)
_GPU = {name: kind for name, kind in get_type_hints(GpuFigures).items() if name != "notes"}
_BOUND = {"bound_by": str, "diagnosis_rounds": int}
_SHARES = dict.fromkeys((f"{cost}_share{bound}" for cost in COSTS for bound in ("", "_low", "_high")), float)
_COMMUNICATION = dict.fromkeys(
    ["least_all_reduce_s", "all_reduce_s", "algorithm_bytes_per_s", "bus_bytes_per_s", "all_reduce_share"], float
)
_EPOCHS = {"epochs_finished": int, "last_train_accuracy": float, "last_train_loss": float}
_INNER = {f"{name}_{inner}": kind for name, model in _NESTED.items() for inner, kind in _types(model).items()}
_THROUGHPUT = {"throughput_images_per_s": _DERIVED.pop("throughput_images_per_s")}
_AS_IT_IS = {float, int, bool, type(None)}
COLUMNS: dict[str, Any] = {
    **_IDS, **_SETTINGS, "seed": int, "repeat": int, **_RECORDED,
    **_THROUGHPUT, **_INTERVAL, **_DERIVED, "steady_windows": int, **_PLACE, **_GPU, **_BOUND, **_SHARES,
    **_COMMUNICATION, **_EPOCHS, "harness_cpu_share": float, **_INNER, "notes": list[str],
}  # fmt: skip
"""The names of the columns in order, each with its type; any of them may be empty."""


def _reader(names: Iterable[str], prefix: str = "") -> Callable[[object], dict[str, Any]]:
    """Reads these attributes of an object, at least two, under their names behind a prefix."""
    own = tuple(names)
    columns, read = [f"{prefix}{name}" for name in own], attrgetter(*own)
    return lambda one: dict(zip(columns, read(one), strict=True))


_settings, _recorded, _gpu = _reader(_SETTINGS), _reader(_RECORDED), _reader(_GPU)
_derived = _reader([*_THROUGHPUT, *_DERIVED])
_INSIDE = {name: _reader(model.model_fields, f"{name}_") for name, model in _NESTED.items()}


@lru_cache(10_000)
def _of_cell(cell: Cell) -> dict[str, Any]:
    return {"cell_id": cell.cell_id, "label": cell.label, **_settings(cell)}


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write one line per trial; units stand in the column names, accuracies are shares of 1.

    What was not measured is empty. Text is written so that no spreadsheet runs it as a formula.
    """
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for line in lines(rows):
            writer.writerow([value if value.__class__ in _AS_IT_IS else _plain(value) for value in line])


def lines(rows: Sequence[Row]) -> Iterator[list[Any]]:
    """The values of each trial in the order of COLUMNS; None where it was not measured."""
    for row in rows:
        yield [*map(_line(row).get, COLUMNS)]


def _line(row: Row) -> dict[str, Any]:
    record, trial, cell = row.record, row.record.trial, row.record.trial.cell
    last = record.epochs[-1] if record.epochs else None
    bounds = [row.interval.low, row.interval.high, "windows"] if row.interval else [None] * 3
    return {
        "trial_id": trial.trial_id,
        **_of_cell(cell),
        "seed": trial.seed,
        "repeat": trial.repeat,
        **_recorded(record),
        **_derived(row),
        "steady_windows": row.steady_windows,
        **vars(row.place),
        **_gpu(row.gpu),
        **({} if record.windows else dict.fromkeys(("measured_windows", "steady_windows", "warmup_windows"))),
        **dict(zip(_INTERVAL, bounds, strict=True)),
        "epochs_finished": len(record.epochs) if record.effective else None,
        "last_train_accuracy": last.train_accuracy if last else None,
        "last_train_loss": last.train_loss if last else None,
        **_bounds(row),
        **_communication(row),
        "harness_cpu_share": record.harness.cpu_share if record.harness else None,
        **_inner(record),
        "notes": row.notes,
    }


def _bounds(row: Row) -> dict[str, Any]:
    """What bounds the trial, and each cost's share of its step with its interval; else how many rounds there are."""
    rounds = None if row.record.diagnosis is None else len(row.record.diagnosis)
    if row.diagnosis is None:
        return {"diagnosis_rounds": rounds}
    shares = row.diagnosis.shares
    figures = [figure for cost in COSTS for figure in (shares[cost].value, shares[cost].low, shares[cost].high)]
    return {"bound_by": row.diagnosis.bound_by, "diagnosis_rounds": rounds, **dict(zip(_SHARES, figures, strict=True))}


def _communication(row: Row) -> dict[str, Any]:
    """What an all-reduce takes alone: the least, and the gradient's, that also as a share of the median step."""
    found = row.communication
    if found is None:
        return {}
    share = found.of_a_step.seconds / row.step_s_p50 if row.step_s_p50 else None
    bandwidths = found.algorithm_bytes_per_s, found.bus_bytes_per_s
    return dict(zip(_COMMUNICATION, [found.least.seconds, found.gradient.seconds, *bandwidths, share], strict=True))


def _inner(record: TrialRecord) -> dict[str, Any]:
    """The figures of the models inside a record, each behind the name of its model."""
    found: dict[str, Any] = {}
    for name, read in _INSIDE.items():
        if (model := getattr(record, name)) is not None:
            found |= read(model)
    return found


def _plain(value: object) -> object:
    """One CSV field that is no number: lists as one text, text harmless."""
    if isinstance(value, list | tuple):
        return _harmless("; ".join(map(str, value)))
    return _harmless(value) if isinstance(value, str) else value


_harmless = lru_cache(10_000)(spreadsheet)
"""Most texts of a run are those of the line before."""
