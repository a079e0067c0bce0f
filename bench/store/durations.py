"""How long trials took in earlier runs on this very unit: a little of each of the newest runs, read in no time."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.measure.identity import known_unit
from bench.store.model import StoredModel
from bench.store.record import RunRecord
from bench.store.runs import read_plain
from bench.trial import Cell, Status

MOST_RUNS = 20
MOST_S = 0.3
"""Nobody waits for an estimate; what was read by then is one too."""
_MOST_BYTES = 20_000_000
_RUN_NAME = re.compile(r"\d{8}T\d{6}Z-.+")
"""How a run's folder is named, so that the newest is the last by name."""
_ALIKE = ("trial_budget_s", "diagnose", "max_batch", "data_sha256")
"""In which a run must agree for its trials to take as long."""


class _Trial(StoredModel):
    cell: Cell


class _Took(StoredModel):
    """Of a TrialRecord what matters here; windows are not even looked at."""

    trial: _Trial
    status: Status
    wall_s: float | None = None


_TOOK: TypeAdapter[_Took] = TypeAdapter(_Took)


def earlier_durations(
    out: Path, run: RunRecord, clock: Callable[[], float] = time.monotonic
) -> list[tuple[Cell, float]]:
    """Cell and seconds of each trial that ran to its end below `out`, on the same unit and within the same budget.

    Of at most 20 runs, the newest first, and what can be read in 0.3 s; damaged files and lines are passed over.
    """
    unit = known_unit(run.environment)
    if unit is None:
        return []
    deadline = clock() + MOST_S
    wanted = {name: getattr(run, name) for name in _ALIKE}
    found = list[tuple[Cell, float]]()
    for folder in _newest(out):
        if clock() >= deadline:
            break
        if _agrees(folder, unit, wanted):
            found += takewhile(lambda _: clock() < deadline, _took(folder))
    return found


def _newest(out: Path) -> list[Path]:
    with suppress(OSError):
        named = sorted((folder for folder in out.iterdir() if _RUN_NAME.fullmatch(folder.name)), reverse=True)
        return list(islice((folder for folder in named if folder.is_dir()), MOST_RUNS))
    return []


def _agrees(folder: Path, unit: str, wanted: dict[str, Any]) -> bool:
    """Whether a run is of this unit and asked the same of a trial; what it does not tell is at its default."""
    with suppress(OSError, ValueError, RecursionError):
        content = json.loads(read_plain(folder / "run.json", _MOST_BYTES, "a run"))
        environment = content.get("environment") if isinstance(content, dict) else None
        if isinstance(environment, dict) and known_unit(environment) == unit:
            told = {name: content.get(name, RunRecord.model_fields[name].default) for name in wanted}
            return told == wanted
    return False


def _took(folder: Path) -> Iterator[tuple[Cell, float]]:
    with suppress(OSError):
        for line in read_plain(folder / "trials.jsonl", _MOST_BYTES, "trials").splitlines():
            with suppress(ValidationError):
                one = _TOOK.validate_json(line)
                if one.status == "ok" and one.wall_s is not None:
                    yield one.trial.cell, one.wall_s
