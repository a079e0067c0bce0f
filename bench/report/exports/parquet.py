"""Parquet: a row for each trial with the columns of trials.csv, typed, and its raw windows and epochs inside.

`window_records` and `epoch_records` are lists of structs with the fields of `Window` and `EpochRecord` in
bench.store.record: one file holds a whole run, and `explode` or `unnest` makes a row of each window. What was not
measured is null.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, chain
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from bench.report.rows import stored_rows
from bench.report.sheet import COLUMNS, lines
from bench.report.text import printable
from bench.store.record import EpochRecord, RunRecord
from bench.store.runs import StoredRun, replacing
from bench.store.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa


def write_parquet(stored: StoredRun, path: Path) -> None:
    """Write a run. Text is one printable line; a mapping is JSON, and what may be a number or a word is text."""
    import pyarrow as pa  # noqa: PLC0415  # an extra
    import pyarrow.parquet as pq  # noqa: PLC0415  # likewise

    rows, records = stored_rows(stored), stored.records
    values = zip(*lines(rows), strict=True) if rows else [()] * len(COLUMNS)
    columns = {name: _column(name_values, COLUMNS[name]) for name, name_values in zip(COLUMNS, values, strict=True)}
    columns["window_records"] = _structs([record.windows for record in records], Window, getattr)
    columns["epoch_records"] = _structs([record.epochs for record in records], EpochRecord, _of_each)
    with replacing(path) as beside:
        pq.write_table(pa.table(columns).replace_schema_metadata(_facts(stored.run)), beside)


def _facts(run: RunRecord) -> dict[str, str]:
    """What holds for the whole run, as the file's key-value metadata."""
    words = {"bench.suite": printable(run.suite), "bench.created_utc": printable(run.created_utc)}
    return {**words, "bench.environment": json.dumps(run.environment)}


def _column(values: Sequence[Any], annotation: Any) -> "pa.Array[Any]":
    import pyarrow as pa  # noqa: PLC0415  # an extra

    kind = _kind(annotation)
    types = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string(), list: pa.list_(pa.string())}
    if kind is list:
        values = [None if value is None else [printable(str(item)) for item in value] for value in values]
    if kind is str:
        values = [None if value is None else _text(value) for value in values]
    return pa.array(values, types[kind])


def _text(value: object) -> str:
    return printable(json.dumps(value) if isinstance(value, dict) else str(value))


def _structs(
    parts: Sequence[Any], model: type[BaseModel], column_of: Callable[[Any, str], Sequence[Any]]
) -> "pa.Array[Any]":
    """A list of structs for each part, put together column by column: windows come by the million."""
    import pyarrow as pa  # noqa: PLC0415  # an extra

    fields = {name: field.annotation for name, field in model.model_fields.items()}
    arrays = [
        _column([*chain.from_iterable(column_of(part, name) for part in parts)], annotation)
        for name, annotation in fields.items()
    ]
    offsets = pa.array([0, *accumulate(map(len, parts))], pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(arrays, [*fields]))


def _of_each(objects: Sequence[object], name: str) -> list[Any]:
    return [getattr(one, name) for one in objects]


def _kind(annotation: Any) -> type:
    """What a column holds: bool, int, float, a list of text, or else text."""
    found = {*_leaves(annotation)} - {type(None)}
    if found == {int, float}:
        return float
    only = found.pop() if len(found) == 1 else str
    return only if only in {bool, int, float, list} else str


def _leaves(annotation: Any) -> Iterable[type]:
    """The types that an annotation is a union of, without what is said of them."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _leaves(arguments[0])
    if origin in {Union, UnionType}:
        return chain.from_iterable(map(_leaves, arguments))
    if origin is Literal:
        return map(type, arguments)
    return [list if origin in {list, tuple} else origin or annotation]
