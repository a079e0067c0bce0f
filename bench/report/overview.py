"""What a stored run is in one line: its trials by status, and its highest throughput. Derives nothing else."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from bench.errors import UsageError
from bench.measure.statistics import throughput_images_per_s
from bench.report.rows import shares_cores
from bench.report.timed import measured_windows, pooled, steady_windows
from bench.store.record import RunRecord, TrialRecord
from bench.store.runs import StoredRun, read_run
from bench.trial import Cell


@dataclass(frozen=True)
class Highest:
    """The cell of the highest throughput of one run, replicas on shared cores left out; no ranking beyond that run."""

    cell: Cell
    throughput_images_per_s: float


@dataclass(frozen=True)
class Listed:
    """A stored run in short; `run` is None where it cannot be read, and `damage` says why, or what was left out."""

    folder: Path
    run: RunRecord | None
    statuses: Counter[str]
    highest: Highest | None
    damage: tuple[str, ...]

    @property
    def planned(self) -> int:
        """How many trials it was to have."""
        return len(self.run.trials) if self.run else 0


def listed(folder: Path) -> Listed:
    """Read a run, damaged or not."""
    try:
        stored = read_run(folder)
    except UsageError as error:
        return Listed(folder, None, Counter(), None, (str(error),))
    statuses = Counter[str](record.status for record in stored.records)
    return Listed(folder, stored.run, statuses, _highest(stored), tuple(stored.damage))


def _highest(stored: StoredRun) -> Highest | None:
    cells: dict[str, list[TrialRecord]] = {}
    for record in stored.records:
        if record.status == "ok" and not shares_cores(record):
            cells.setdefault(record.trial.cell.cell_id, []).append(record)
    found = [
        Highest(records[0].trial.cell, throughput)
        for records in cells.values()
        if (throughput := _throughput_images_per_s(records)) is not None and isfinite(throughput)
    ]
    return max(found, key=lambda one: one.throughput_images_per_s, default=None)


def _throughput_images_per_s(records: Sequence[TrialRecord]) -> float | None:
    """Of the steady windows of a cell's trials together, as the table of results has it."""
    windows = pooled([steady_windows(measured_windows(record.windows))[0] for record in records])
    return throughput_images_per_s(windows.steps, windows.window_s, records[0].trial.cell.global_batch)
