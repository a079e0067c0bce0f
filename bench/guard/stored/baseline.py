"""A stored run in short: one figure for each cell, which is what one run counts for in a judgement."""

import math
from hashlib import sha256
from statistics import stdev

from pydantic import ValidationError

from bench.errors import UsageError, first_fault
from bench.guard.stored.compare import cells_of, processes_of
from bench.guard.stored.differences import facts_of
from bench.guard.stored.machines import machine_words
from bench.guard.verdict import IncomparableError
from bench.measure.identity import known_unit
from bench.report.cells import FEWEST_PROCESSES, CellSummary
from bench.report.text import shorten
from bench.store.baselines import CellFigures, RunFigures
from bench.store.runs import StoredRun

_NORMAL = 1.96
"""Standard errors in half a 95 % interval over windows, whose batches are many."""


def figures_of(stored: StoredRun) -> RunFigures:
    """The run in short. Raises IncomparableError where its machine is not known, UsageError for a damaged file."""
    run, environment = stored.run, stored.run.environment
    unit = known_unit(environment)
    if unit is None:
        reason = environment.get("no_exact_unit_reason") or "it was made before runs told theirs"
        raise IncomparableError(
            f"{stored.folder}: no exact unit is recorded ({shorten(str(reason), 120)}); run it anew"
        )
    cells = [cell_figures(cell) for cell in cells_of(stored, run.target_accuracy)]
    content = [unit, run.created_utc, *(cell.model_dump_json() for cell in cells)]
    try:
        return RunFigures(
            run_id=sha256("\n".join(content).encode()).hexdigest()[:16],
            name=shorten(stored.folder.resolve().name, 200),
            exact_unit=unit,
            created_utc=shorten(run.created_utc, 40),
            suite=shorten(run.suite, 100),
            machine=machine_words(environment),
            code_sha256=environment.get("code_sha256"),
            data_sha256=run.data_sha256,
            facts=facts_of(run),
            cells=cells,
        )
    except ValidationError as error:
        raise UsageError(f"{stored.folder / 'run.json'}: {first_fault(error)}; not a run that bench wrote") from None


def cell_figures(cell: CellSummary) -> CellFigures:
    """Figures of trials that ended well; of any other only how it ended."""
    if not cell.ok or cell.status != "ok":
        return CellFigures(cell=cell.cell, status=cell.status)
    seeds = {row.record.trial.seed for row in cell.counted if row.test_accuracy is not None}
    return CellFigures(
        cell=cell.cell,
        status=cell.status,
        processes=len(processes_of(cell)),
        throughput_images_per_s=cell.throughput_images_per_s or None,
        log_error=_log_error(cell),
        peak_host_memory_bytes=cell.peak_host_memory_bytes or None,
        peak_device_memory_bytes=cell.peak_device_memory_bytes or None,
        test_accuracy=cell.learned_accuracy,
        seeds=sorted(seeds) if cell.learned_accuracy is not None else [],
    )


def _log_error(cell: CellSummary) -> float | None:
    """Of the run's own throughput: between processes where there are enough of them, else within the only one."""
    processes = processes_of(cell)
    if len(processes) >= FEWEST_PROCESSES:
        return stdev(map(math.log, processes)) / math.sqrt(len(processes))
    if len(processes) == 1 and cell.interval:
        return math.log(cell.interval.high / cell.interval.low) / 2 / _NORMAL
    return None
