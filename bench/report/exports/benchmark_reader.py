"""Back from pytest-benchmark's JSON to a stored run, where this program wrote it."""

import math
import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from bench.errors import UsageError, first_fault, one_line
from bench.report.exports.pytest_benchmark import seconds_per_image, timed_windows
from bench.store.model import StoredModel
from bench.store.record import SCHEMA_VERSION, RunRecord, TrialRecord
from bench.store.runs import StoredRun

_MOST_BYTES = 1_000_000_000
_SUITE = re.compile(r"[A-Za-z0-9_-]{1,40}")
"""As a suite may be called: the folder of the run is named after it."""
_SAME = 1e-6
"""How far a round may be from its window, as a share: a sum of seconds was subtracted from another."""


class _Stats(StoredModel):
    data: list[float] | None = None


class _Extra(StoredModel):
    bench_record: TrialRecord | None = None


class _Benchmark(StoredModel):
    fullname: str
    stats: _Stats
    extra_info: _Extra


class _Bench(StoredModel):
    run: RunRecord
    without_benchmark: list[TrialRecord]


class _File(StoredModel):
    benchmarks: Annotated[list[_Benchmark], Field(max_length=100_000)]
    bench: _Bench | None = None


def read_pytest_benchmark(path: Path) -> StoredRun:
    """The run in a file that `pytest bench/perf` saved or `bench export` wrote, as it was stored.

    Benchmarks of others, and those whose rounds are not the windows they came from, are listed as damage and left out.
    A record's paths of log and telemetry are of another folder, and dropped. Raises UsageError for any other file.
    """
    found = _validated(path)
    if found.bench is None:
        told = "give one that pytest bench/perf saved, or bench export wrote"
        raise UsageError(f"{path}: a file of pytest-benchmark without a run of bench in it; {told}")
    run, damage = found.bench.run, list[str]()
    if run.schema_version > SCHEMA_VERSION:
        version = f"{run.schema_version} is newer than this bench reads ({SCHEMA_VERSION})"
        raise UsageError(f"{path}: bench.run.schema_version {version}; read it with the bench that wrote it")
    if not _SUITE.fullmatch(run.suite):
        raise UsageError(f"{path}: bench.run.suite: {run.suite!r} is no name of a suite; not a file that bench wrote")
    records = [record for one in found.benchmarks if (record := _record_of(path, one, damage))]
    known = {record.trial.trial_id: record for record in [*records, *found.bench.without_benchmark]}
    elsewhere = {"log": None, "telemetry": None}
    return StoredRun(path, run, [record.model_copy(update=elsewhere) for record in known.values()], damage)


def _validated(path: Path) -> _File:
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path}: not a file; give a JSON file of pytest-benchmark")
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{path}: larger than {_MOST_BYTES:,} bytes; not a file that bench wrote")
        return _File.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give a JSON file of pytest-benchmark") from None
    except ValidationError as error:
        raise UsageError(f"{path}: {first_fault(error)}; not a file that bench wrote") from None


def _record_of(path: Path, benchmark: _Benchmark, damage: list[str]) -> TrialRecord | None:
    record, data = benchmark.extra_info.bench_record, benchmark.stats.data
    where = one_line(f"{path}: {benchmark.fullname}")
    if record is None:
        damage.append(f"{where} ignored: not a benchmark of bench/perf")
        return None
    if data is not None and not _same(data, record):
        damage.append(f"{where} ignored: its rounds are not the windows that came with them")
        return None
    return record


def _same(data: list[float], record: TrialRecord) -> bool:
    batch = record.trial.cell.global_batch
    windows = [seconds_per_image(window, batch) for window in timed_windows(record) if window.steps]
    return len(data) == len(windows) and all(
        math.isclose(one, other, rel_tol=_SAME) for one, other in zip(data, windows, strict=True)
    )
