"""What a search for the largest batch found, a line for the cells that differ in nothing but the batch."""

from collections.abc import Sequence

from bench.report.cells import CellSummary
from bench.report.names import short_names, without_batch
from bench.report.text import mebibytes
from bench.store.record import RunRecord
from bench.trial import Status

_ENDS: dict[Status, str] = {"oom": "out of memory", "skipped": "not tried", "interrupted": "not tried to its end"}


def largest_batches(run: RunRecord, cells: Sequence[CellSummary]) -> list[str]:
    """One line for each cell that was searched; none where nothing was."""
    if not run.max_batch:
        return []
    searched = {one.cell_id: one for one in (without_batch(trial.cell) for trial in run.trials)}
    names, _ = short_names(list(searched.values()))
    batches: dict[str, list[CellSummary]] = {one: [] for one in searched}
    for cell in cells:
        if (own := batches.get(without_batch(cell.cell).cell_id)) is not None:  # one of another run may be among them
            own.append(cell)
    found = [_line(run, batches[one]) for one in searched]
    return [f"{name}: {line}" for name, line in zip(names, found, strict=True)]


def _line(run: RunRecord, batches: Sequence[CellSummary]) -> str:
    """The largest batch that trained, and what ended the search; `batches` are those of one cell, ascending."""
    trained = [cell for cell in batches if cell.status == "ok"]
    beyond = batches[batches.index(trained[-1]) + 1 :] if trained else batches
    end = f"{beyond[0].cell.global_batch:,}: {_ENDS.get(beyond[0].status, beyond[0].status)}" if beyond else ""
    if not trained:
        return f"no batch trained ({end or 'none was tried'})"
    largest = trained[-1]
    words = largest.cell.batch_words
    if not end and largest.cell.global_batch < _last_planned(run, largest):
        end = "larger ones: not tried"
    found = f"largest batch that trained: {words} ({end})" if end else f"{words}, {_limit(largest)}, still trained"
    return f"{found}{_memory(largest)}"


def _last_planned(run: RunRecord, cell: CellSummary) -> int:
    same = [trial.cell for trial in run.trials if without_batch(trial.cell) == without_batch(cell.cell)]
    return max((one.global_batch for one in same), default=0)


def _limit(cell: CellSummary) -> str:
    """What the last batch of a search is; a suite may exclude larger ones."""
    within = cell.cell.global_batch * 2 > (cell.rows[0].record.train_images or 0)
    each = " per replica" if cell.cell.replicas > 1 else ""
    return f"the largest power of two{each} within the training set" if within else "the last of the search"


def _memory(cell: CellSummary) -> str:
    """Of the device where there is one, since that is what runs out; empty where it was not measured."""
    if cell.peak_device_memory_bytes is not None:
        return f"; peak device memory {mebibytes(cell.peak_device_memory_bytes)} MiB"
    if cell.peak_host_memory_bytes is not None:
        return f"; peak host memory {mebibytes(cell.peak_host_memory_bytes)} MiB"
    return ""
