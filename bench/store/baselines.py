"""The store of baselines: in a folder for each exact unit a small file for each promoted run, never one that grows."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.errors import UsageError, first_fault, one_line
from bench.measure.identity import is_unit
from bench.store.runs import read_plain, write_atomically
from bench.trial import Cell, Status

BASELINE_VERSION: Literal[1] = 1
KEPT = 20
"""Runs a cell: the oldest make room for newer ones, so that a baseline neither grows nor freezes."""
MOST_CELLS = 5_000
_MOST_BYTES = 8_000_000
_MOST_FILES = 1_000
Text = Annotated[str, Field(max_length=400)]
Positive = Annotated[float, Field(gt=0)]
Size = Annotated[int, Field(ge=1, lt=2**63)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{1,128}$")]


class _Kept(BaseModel):
    # extra fields are ignored, so that a newer file with additions stays readable
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class CellFigures(_Kept):
    """What one run found of one cell, over so many processes and seeds. None means not measured.

    `log_error` is the standard error of the logarithm of its throughput, as far as the run itself can tell.
    """

    cell: Cell
    status: Status
    processes: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    throughput_images_per_s: Positive | None = None
    log_error: Annotated[float, Field(ge=0, le=100)] | None = None
    peak_host_memory_bytes: Size | None = None
    peak_device_memory_bytes: Size | None = None
    test_accuracy: Annotated[float, Field(ge=0, le=1)] | None = None
    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(max_length=10_000)] = []


class RunFigures(_Kept):
    """One run in short; `run_id` is made of what it found, so that a copy under another name is the same run.

    `facts` are of its environment, in words. `code_sha256` is of the code that was measured; None, of an older run, is
    not known.
    """

    baseline_version: Literal[1] = BASELINE_VERSION
    run_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    name: Text
    exact_unit: Annotated[str, Field(pattern=r"^[0-9a-f]{8,128}$")]
    created_utc: Text
    suite: Text
    machine: Text
    code_sha256: Digest | None
    data_sha256: Digest
    facts: Annotated[dict[Text, Text], Field(max_length=1_000)] = {}
    cells: Annotated[list[CellFigures], Field(max_length=MOST_CELLS)]


@dataclass(frozen=True)
class Baselines:
    """The promoted runs of one unit, the oldest first; a line for each file that cannot be used."""

    runs: list[RunFigures]
    damage: list[str] = field(default_factory=list)


def read_baselines(store: Path, exact_unit: str) -> Baselines:
    """The baselines of a unit; none where nothing was promoted. Raises UsageError for what is no store."""
    folder = store / exact_unit
    if not folder.is_dir():
        return Baselines([])
    paths = sorted(folder.glob("*.json"))
    if len(paths) > _MOST_FILES:
        raise UsageError(f"{folder}: {len(paths):,} files are no store of baselines; name another with --store")
    read = [_read(path, exact_unit) for path in paths]
    runs = [run for run in read if isinstance(run, RunFigures)]
    runs.sort(key=lambda run: run.created_utc)
    return Baselines(runs, [fault for fault in read if isinstance(fault, str)])


def _read(path: Path, exact_unit: str) -> RunFigures | str:
    """One run, or a line that says why it cannot be used."""
    try:
        run = RunFigures.model_validate_json(read_plain(path, _MOST_BYTES, "a baseline"))
    except ValidationError as error:
        # where it is no JSON, the place in it helps nobody
        torn = error.errors(include_input=False)[0]["type"] == "json_invalid"
        fault = "not JSON" if torn else first_fault(error)
    except OSError as error:
        fault = error.strerror or str(error)
    else:
        if (run.exact_unit, run.run_id) == (exact_unit, path.stem):
            return run
        fault = "it is of another unit, or has another run's name"
    return one_line(f"{path}: ignored: {fault}; promote the run again, or delete it")


def keep_baseline(store: Path, run: RunFigures) -> bool:
    """Add a run to the baselines of its unit, then prune them; False if it was there. Raises OSError and UsageError."""
    known = any(one.run_id == run.run_id for one in read_baselines(store, run.exact_unit).runs)
    if not known:
        _write(store, run)
        _prune(store, run.exact_unit)
    return not known


def _write(store: Path, run: RunFigures) -> None:
    path = _path(store, run)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, run.model_dump_json(indent=1, exclude_defaults=True))


def _path(store: Path, run: RunFigures) -> Path:
    return store / run.exact_unit / f"{run.run_id}.json"


def _prune(store: Path, exact_unit: str) -> None:
    """Leave the newest `KEPT` runs of each cell; a run that has no cell left goes."""
    seen: Counter[str] = Counter()
    for run in reversed(read_baselines(store, exact_unit).runs):
        seen.update(one.cell.cell_id for one in run.cells)
        cells = [one for one in run.cells if seen[one.cell.cell_id] <= KEPT]
        if not cells:
            _path(store, run).unlink(missing_ok=True)
        elif len(cells) < len(run.cells):
            _write(store, run.model_copy(update={"cells": cells}))


def units_in(store: Path) -> list[str]:
    """The exact units that a store has a folder for."""
    return sorted(folder.name for folder in store.iterdir() if is_unit(folder.name)) if store.is_dir() else []
