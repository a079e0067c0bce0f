"""Reference page of trials.csv: every column with its type, unit and meaning, and the docstring of its source."""

import inspect
import re
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from pydantic import BaseModel, TypeAdapter
from schema_words import cell_of_table, words

from bench.host import Conditions
from bench.measure.roofline import Place
from bench.measure.telemetry import GpuFigures
from bench.protocol.effective import EffectiveSettings
from bench.report.rows import Row
from bench.report.sheet import COLUMNS
from bench.store.record import HarnessCost, TrialRecord
from bench.trial import Cell

SOURCES: dict[str, tuple[type, str]] = {
    "Settings asked for": (Cell, ""),
    "As recorded": (TrialRecord, ""),
    "Derived from the windows": (Row, ""),
    "Against the ceilings": (Place, ""),
    "Of the GPUs": (GpuFigures, ""),
    "Settings that really ran": (EffectiveSettings, "effective_"),
    "What the harness cost": (HarnessCost, "harness_"),
    "The machine before": (Conditions, "conditions_before_"),
    "The machine after": (Conditions, "conditions_after_"),
}
"""Parts of the page: where columns come from, and what their names begin with."""
_UNITS = {
    r"images_per_s$": "images/s", r"flops_per_s$": "FLOP/s", r"bytes_per_s$": "bytes/s",
    r"flops_per_byte$": "FLOP/byte", r"images_per_j$": "images/J", r"_bytes$": "bytes", r"_mhz$": "MHz",
    r"_w$": "W", r"_j$": "J", r"_c$": "°C", r"_s(_p\d+)?$": "s",
    r"_share(_low|_high)?$|accuracy$|^utilisation|^mfu$": "share of 1",
}  # fmt: skip
_MEANINGS = {
    "trial_id": "`cell_id`-seed-repeat",
    "cell_id": "hash of the settings that differ from their defaults",
    "label": "those settings in words",
    "per_replica_batch": "images of one step on one replica",
    "seed": "of initial weights, data order and dropout",
    "repeat": "which of the fresh processes of this cell and seed, from 0",
    "throughput_low_images_per_s": "lower end of the 95 % interval",
    "throughput_high_images_per_s": "upper end of it",
    "interval_over": "`windows`: a trial's interval is within its process",
    "steady_windows": "windows that count for throughput",
    "bound_by": "`--diagnose`: input, dispatch, communication or compute",
    "diagnosis_rounds": "rounds of probes",
    "least_all_reduce_s": "an all-reduce of 16 floats a replica",
    "all_reduce_s": "of an array of the gradient's size",
    "algorithm_bytes_per_s": "its bytes ÷ seconds",
    "bus_bytes_per_s": "that × 2(n-1)/n, as nccl-tests defines it",
    "all_reduce_share": "what it takes by itself, of the median step",
    "epochs_finished": "whole epochs trained and evaluated",
    "last_train_accuracy": "of the last of them",
    "last_train_loss": "of the last of them",
    "harness_cpu_share": "of one CPU's time, the most throughput that measuring can have cost",
    "notes": "what a reader must know beside the figures",
}
"""Of columns that no field of a model stands behind."""


def columns_page() -> str:
    """Every column once, under what it comes from."""
    left = dict.fromkeys(COLUMNS)
    parts = []
    for title, (source, prefix) in SOURCES.items():
        hints = _hints(source)
        found = [column for column in left if column.startswith(prefix) and column[len(prefix) :] in hints]
        left = {column: None for column in left if column not in set(found)}
        told = _told(source)
        headers = ["column", "type", "unit", *["meaning"] * bool(told)]
        lines = [
            " | ".join([f"| `{name}`", _type(hints[own]), _unit(name), *([told[own]] if told else [])]) + " |"
            for name in found
            for own in [name[len(prefix) :]]
        ]
        parts.append(f"## {title}\n\n{inspect.getdoc(source)}\n\n{_table(headers, lines)}")
    lines = [f"| `{name}` | {_MEANINGS.get(name, _share_words(name))} | {_unit(name)} |" for name in left]
    parts.insert(0, f"## Ids, intervals and notes\n\n{_table(['column', 'meaning', 'unit'], lines)}")
    head = (
        f"# Columns of trials.csv\n\nOne line per trial, {len(COLUMNS)} columns. What was not measured is empty. Lists "
        "stand in one field, `; ` between their parts. A text that a spreadsheet would run as a formula has `'` before "
        "it."
    )
    return "\n\n".join([head, *parts]) + "\n"


def _hints(source: type) -> dict[str, Any]:
    if issubclass(source, BaseModel):
        return {name: field.rebuild_annotation() for name, field in source.model_fields.items()}
    assert is_dataclass(source)
    hints = get_type_hints(source)
    return {field.name: hints[field.name] for field in fields(source)}


def _told(source: type) -> dict[str, str]:
    """What each field of a model says of itself; of a dataclass its docstring tells."""
    models = source.model_fields if issubclass(source, BaseModel) else {}
    return {name: cell_of_table(field.description or "") for name, field in models.items()}


def _table(headers: list[str], lines: list[str]) -> str:
    return "\n".join([f"| {' | '.join(headers)} |", "| --- " * len(headers) + "|", *lines])


def _type(hint: Any) -> str:
    told = words(TypeAdapter(hint).json_schema(), nullable=False)
    return cell_of_table(re.sub(r"\[(\w+)\]\(#\w+\)", r"\1", told))


def _unit(column: str) -> str:
    return next((unit for pattern, unit in _UNITS.items() if re.search(pattern, column)), "")


def _share_words(column: str) -> str:
    """Shares of a diagnosis are named by a rule."""
    found = re.fullmatch(r"(?P<cost>\w+)_share(?P<end>_low|_high)?", column)
    if found is None:
        return ""
    end = {"_low": ", lower end of its 95 % interval", "_high": ", upper end of it"}.get(found["end"] or "", "")
    return f"`--diagnose`: {found['cost']}'s share of the step{end}"
