"""What a run found, in plain sentences that Markdown and HTML only dress."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.report.bounds import bound_by
from bench.report.cells import CellSummary
from bench.report.largest import largest_batches
from bench.report.names import short_names
from bench.report.ranking import accuracy_finding, fastest
from bench.report.rows import Row
from bench.report.text import mebibytes, percent, shorten, significant, with_interval
from bench.store.record import RunRecord

_MOST_REASONS = 3
_LONGEST_REASON = 160


@dataclass(frozen=True)
class Finding:
    """A sentence, and the question that it answers."""

    topic: str
    sentence: str


def headlines(run: RunRecord, cells: Sequence[CellSummary]) -> list[str]:
    """The fastest cell and the accuracies in a sentence; of a search a line for each cell, its largest batch."""
    return largest_batches(run, cells) or [_fastest(cells)]


def findings_of(run: RunRecord, cells: Sequence[CellSummary], absent: int, cost: str) -> list[Finding]:
    """What bounds the fastest cell and what it costs, what failed, how far to trust the figures, what measuring took.

    Left out is what nothing is known of. `absent` is how many planned trials have no record, `cost` what it all took.
    """
    rows = [row for cell in cells for row in cell.rows]
    found = None if run.max_batch else fastest(cells)
    told = {
        "What bounds the fastest": _bounds(found.cell, cells) if found else "",
        "What it takes and gives": _price(found.cell, cells) if found else "",
        "What failed": "; ".join(_failures(rows, absent)) + "." if run.trials else "",
        "How far to trust it": " ".join(_trust(cells, rows)),
        "What measuring took": cost,
    }
    return [Finding(topic, sentence) for topic, sentence in told.items() if sentence]


def _fastest(cells: Sequence[CellSummary]) -> str:
    found = fastest(cells)
    if found is None:
        return _unranked([cell for cell in cells if cell.ok and cell.throughput_images_per_s])
    words, _ = short_names([cell.cell for cell in cells])
    names = {cell.cell.cell_id: name for cell, name in zip(cells, words, strict=True)}
    rerun = " (a rerun may differ; --repeats 3 tells)" if found.one_run else ""
    speed = with_interval(found.cell.throughput_images_per_s, found.cell.interval)
    sentence = f"{found.claim.capitalize()}{rerun}: {names[found.cell.cell.cell_id]}, {speed} images/s{found.doubt}"
    learned = [cell for cell in cells if cell.learned_accuracy is not None]
    if not learned:
        return f"{sentence}; no cell has a test accuracy."
    return f"{sentence}; {accuracy_finding(learned, names)}."


def _unranked(timed: Sequence[CellSummary]) -> str:
    """The throughputs from the lowest to the highest, for want of more."""
    if not timed:
        return "No cell was measured."
    speeds = sorted(cell.throughput_images_per_s or 0.0 for cell in timed)
    ends = " to ".join(dict.fromkeys(map(significant, (speeds[0], speeds[-1]))))
    shared = ", replicas on shared cores included" * any(cell.shares_cores for cell in timed)
    return f"{ends} images/s, roughly{shared}: too few windows or trials to rank any cell by speed."


def _bounds(best: CellSummary, cells: Sequence[CellSummary]) -> str:
    """Its bound and how near it comes to the ceilings, each where it was measured, else what would measure it."""
    bound = f"{bound_by(best)} of its step" if best.diagnosis else "not asked (--diagnose finds out)"
    mfu = best.place.mfu
    near = (
        "how near it comes to the machine's limits is not known (bench env --measure, once, lets later runs tell)"
        if mfu is None
        else f"{significant(100 * mfu)} % of the best matmul FLOP/s that this machine was measured to do"
    )
    counts = Counter(cell.diagnosis.bound_by for cell in cells if cell.diagnosis)
    others = ", ".join(f"{count:,} by {bound}" for bound, count in counts.most_common())
    of_all = f" Diagnosed cells are bound: {others}." if counts.total() > 1 else ""
    return f"{bound[0].upper()}{bound[1:]}; {near}.{of_all}"


def _price(best: CellSummary, cells: Sequence[CellSummary]) -> str:
    """Its memory and accuracy."""
    words = []
    for kind, size_bytes, every in (
        ("device", best.peak_device_memory_bytes, [cell.peak_device_memory_bytes for cell in cells]),
        ("host", best.peak_host_memory_bytes, [cell.peak_host_memory_bytes for cell in cells]),
    ):
        if size_bytes is not None:
            known = [one for one in every if one is not None]
            ends = dict.fromkeys(mebibytes(pick(known)) for pick in (min, max))
            span = f" (of all cells {' to '.join(ends)})" if len(ends) > 1 else ""
            words.append(f"peak {kind} memory {mebibytes(size_bytes)} MiB{span}")
    epochs = f"{best.cell.epochs} epoch{'s' * (best.cell.epochs > 1)}"
    learned = best.learned_accuracy
    words.append(f"{percent(learned)} % test accuracy after {epochs}" if learned is not None else "no test accuracy")
    sentence = "; ".join(words)
    return f"The fastest cell: {sentence}."


def _failures(rows: Sequence[Row], absent: int) -> Iterator[str]:
    """How many ended well, and the most frequent reasons of the others."""
    bad = [row.record for row in rows if row.record.status != "ok"]
    yield f"{len(rows) - len(bad):,} of {len(rows):,} recorded trials ended ok"
    reasons = Counter((record.status, shorten(record.reason or "no reason", _LONGEST_REASON)) for record in bad)
    for (status, reason), count in reasons.most_common(_MOST_REASONS):
        yield f"{count:,} {status}: {reason}"
    others = reasons.total() - sum(count for _, count in reasons.most_common(_MOST_REASONS))
    if others:
        yield f"{others:,} more for other reasons"
    if absent:
        yield f"{absent:,} planned without a record"


def _trust(cells: Sequence[CellSummary], rows: Sequence[Row]) -> Iterator[str]:
    """What the intervals are over, what disturbed the trials, and which cells say nothing of speed."""
    timed = [cell for cell in cells if cell.throughput_images_per_s]
    between = sum(cell.interval_over.startswith("processes") for cell in timed)
    within = sum(cell.interval_over == "windows" for cell in timed)
    if not timed:
        return
    if within == len(timed):
        yield "Each cell ran in one process: its interval says how well that one was measured, not what a rerun gives."
    elif between == len(timed):
        yield "Every interval is between processes: it holds the mean of such processes, on this machine in this state."
    else:
        kinds = {
            "between processes": between,
            "within one process, which says nothing of a rerun": within,
            "none, for want of windows or trials": len(timed) - between - within,
        }
        told = "; ".join(f"{kind}: {count:,}" for kind, count in kinds.items() if count)
        yield f"Timed cells by their interval: {told}."
    yield from _disturbances(rows)
    if shared := sum(cell.shares_cores for cell in timed):
        yield f"Cells whose replicas share cores (functional, not scaling): {shared:,}."


def _disturbances(rows: Sequence[Row]) -> Iterator[str]:
    """How many trials something is known to have spoilt; of those whose conditions were read."""
    read = [row for row in rows if row.record.hosts or row.record.conditions_after]
    spoilt = sum(bool(row.suffering) for row in read)
    if spoilt:
        yield f"{spoilt:,} of {len(read):,} trials were disturbed from outside; their notes say by what."
    elif read:
        yield "No trial is known to have been disturbed from outside."
