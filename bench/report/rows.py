"""One stored trial becomes one row of every table: the figures that people read, derived from raw windows."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bench.measure.communication import Communication, communication_of
from bench.measure.cpus import apart
from bench.measure.diagnosis import Diagnosis, diagnose
from bench.measure.roofline import Place, Work, work_of
from bench.measure.statistics import Interval, throughput_images_per_s, throughput_interval
from bench.measure.stopping import alpha_of
from bench.measure.suffering import suffered
from bench.measure.telemetry import GpuFigures
from bench.report.beside import beside, worth_it
from bench.report.gpu import ReadTelemetry, gpu_figures, telemetry_below
from bench.report.text import significant
from bench.report.timed import NONE, Timed, gap_share, measured_windows, quantiles_s, steady_windows
from bench.store.record import Ceilings, RunRecord, TrialRecord
from bench.store.runs import StoredRun
from bench.store.telemetry import Telemetry
from bench.store.windows import WindowColumns
from bench.trial import TARGET_ACCURACY

_SHARES = 16
"""Of a large run's trials, taken one by one by two processes: whichever is free takes the next."""
_TELLING = 0.01
"""Of the throughput: what leaving out the warm-up may move it by before a reader must know."""


@dataclass(frozen=True)
class Row:
    """The derived figures of one trial; None where it was not measured.

    `steady` are the windows that count, short ones included. A trial that ran with other settings than asked
    (`invalid`) has no figure here: nothing it did may be credited to its cell. `measured_windows` are all that were
    timed for speed; `warmup_windows` are the whole ones before the steady ones, so that short ones among them are in
    neither number. `gap_share` is the time between windows that follow each other, as a share of theirs.
    `training_s` are the seconds of every window after the first step: of all epochs, run-ins included, and of those
    that only speed was measured in after the last epoch. It is no epoch's time, so images divided by it are no
    throughput. `suffering` is what disturbed the trial from outside; it stands among the `notes` too.
    """

    record: TrialRecord
    steady: Timed
    throughput_images_per_s: float | None
    interval: Interval | None
    step_s_p50: float | None
    step_s_p90: float | None
    step_s_p99: float | None
    measured_windows: int
    warmup_windows: int
    gap_share: float | None
    training_s: float | None
    evaluation_s: float | None
    test_accuracy: float | None
    test_loss: float | None
    target_accuracy: float | None
    time_to_accuracy_s: float | None
    notes: tuple[str, ...]
    suffering: tuple[str, ...]
    diagnosis: Diagnosis | None
    work: Work
    gpu: GpuFigures

    def __getstate__(self) -> dict[str, Any]:
        """What goes to another process: all but the record, which is there and would take longer than the figures."""
        return vars(self) | {"record": None}

    @property
    def place(self) -> Place:
        """Its MFU and its place under the roofs."""
        return self.work.place(self.throughput_images_per_s)

    @property
    def shares_cores(self) -> bool:
        """Whether its replicas compute on the same CPU cores, or may do so."""
        return shares_cores(self.record)

    @property
    def communication(self) -> Communication | None:
        """What all-reduces of its replicas took; None where they were not measured."""
        record = self.record
        if record.status == "invalid" or record.effective is None:
            return None
        cell, parameters = record.trial.cell, record.effective.parameters
        return communication_of(record.collectives or [], parameters, cell.replicas, pulled=cell.pulls_messages)

    @property
    def steady_windows(self) -> int:
        """How many windows count for throughput."""
        return len(self.steady)


def rows_of(
    run: RunRecord,
    records: Sequence[TrialRecord],
    telemetry: ReadTelemetry = lambda _: None,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[Row]:
    """The rows of a run, under its ceilings, with its target accuracy and with what its GPUs did.

    A second process shares the work on a large run; `meanwhile` is called once it is at it, and for others not at all.
    """

    def derive(record: TrialRecord) -> Row:
        own = telemetry(record)
        return row_of(record, ceilings=run.ceilings, target_accuracy=run.target_accuracy, telemetry=own)

    if not worth_it(records):
        return [derive(record) for record in records]
    size = -(-len(records) // _SHARES)
    shares = [records[start : start + size] for start in range(0, len(records), size)]
    with beside([partial(_derived, share, derive) for share in shares]) as derived:
        meanwhile()
        rows = [row for share in derived() for row in share]
    return [row if row.record else replace(row, record=record) for row, record in zip(rows, records, strict=True)]


def _derived(records: Sequence[TrialRecord], derive: Callable[[TrialRecord], Row]) -> list[Row]:
    return [derive(record) for record in records]


def stored_rows(stored: StoredRun, meanwhile: Callable[[], None] = lambda: None) -> list[Row]:
    """The rows of a run as it was read, with the telemetry that lies in its folder; `meanwhile` as in `rows_of`."""
    return rows_of(stored.run, stored.records, telemetry_below(stored.folder), meanwhile)


def row_of(
    record: TrialRecord,
    *,
    ceilings: Ceilings | None = None,
    target_accuracy: float = TARGET_ACCURACY,
    telemetry: Telemetry | None = None,
) -> Row:
    """Derive a row. Short windows count for throughput and its interval, not for warm-up and the quantiles."""
    measured = measured_windows(record.windows)
    steady, warmup = steady_windows(measured)
    believable = steady if record.status != "invalid" else NONE
    timed = believable.steps, believable.window_s
    batch = record.trial.cell.global_batch
    throughput = throughput_images_per_s(*timed, batch)
    p50, p90, p99 = quantiles_s(believable)
    final = record.epochs[-1] if record.epochs and len(record.epochs) == record.trial.cell.epochs else None
    learned = final if record.status != "invalid" else None
    gpu = gpu_figures(record, believable, telemetry)
    warmup_note = _warmup_note(measured, len(measured) - len(steady), throughput, batch)
    suffering = tuple(_suffering(record))
    return Row(
        record=record,
        steady=steady,
        throughput_images_per_s=throughput,
        interval=throughput_interval(*timed, batch, alpha_of(record.stopped_by, len(measured))),
        step_s_p50=p50,
        step_s_p90=p90,
        step_s_p99=p99,
        measured_windows=len(measured),
        warmup_windows=warmup,
        gap_share=gap_share(record.windows) if record.status != "invalid" else None,
        training_s=_training_s(record.windows),
        evaluation_s=sum(epoch.evaluate_s for epoch in record.epochs) if record.epochs else None,
        test_accuracy=learned.test_accuracy if learned else None,
        test_loss=learned.test_loss if learned else None,
        target_accuracy=target_accuracy if _learns(record) else None,
        time_to_accuracy_s=_time_to_accuracy_s(record, target_accuracy) if _learns(record) else None,
        notes=(*_notes(record, suffering), *warmup_note, *gpu.notes),
        suffering=suffering,
        diagnosis=diagnose(record.diagnosis or []) if record.status != "invalid" else None,
        work=_work(record, ceilings),
        gpu=gpu,
    )


def _warmup_note(measured: Timed, left_out: int, throughput: float | None, global_batch: int) -> list[str]:
    """What the throughput would be with the windows left out, where that is another figure by more than 1 %."""
    if not left_out or not throughput:
        return []
    whole = throughput_images_per_s(measured.steps, measured.window_s, global_batch) or throughput
    moved = whole / throughput - 1
    if abs(moved) <= _TELLING:
        return []
    told = f"with them {significant(whole)} images/s ({100 * moved:+.1f} %)"
    return [f"warm-up: {left_out} of {len(measured)} windows left out; {told}"]


def _training_s(windows: WindowColumns) -> float | None:
    """Seconds of all windows after the first step; None where nothing was trained."""
    first = windows.window_s[0] if windows.phase[:1] == ("first_step",) else 0.0
    return math.fsum((*windows.window_s, -first)) if windows.phase else None


def _learns(record: TrialRecord) -> bool:
    """Whether it has test accuracies with their time, of something to learn, in the settings that were asked for."""
    timed = any(epoch.evaluate_start_s is not None for epoch in record.epochs)
    return timed and record.status != "invalid" and record.trial.cell.input != "synthetic"


def _time_to_accuracy_s(record: TrialRecord, target_accuracy: float) -> float | None:
    """Seconds from the start of the first step to the end of the evaluation that first reached the target."""
    hit = next((epoch for epoch in record.epochs if epoch.test_accuracy >= target_accuracy), None)
    if hit is None or hit.evaluate_start_s is None or record.windows.phase[:1] != ("first_step",):
        return None
    return hit.evaluate_start_s + hit.evaluate_s - record.windows.start_s[0]


def _work(record: TrialRecord, ceilings: Ceilings | None) -> Work:
    flops, size_bytes = record.training_flops_per_image, record.training_bytes_per_image
    return work_of(record.trial.cell, record.effective, flops, size_bytes, ceilings.measured if ceilings else [])


def _own_cpu_s(record: TrialRecord) -> float | None:
    """CPU seconds of the workers and of the harness between both readings of the conditions.

    In older files the workers' are from their start on, which is before the first reading.
    """
    if record.own_cpu_s is not None:
        return record.own_cpu_s + (record.harness.parent_cpu_s if record.harness else 0.0)
    if record.worker_cpu_s is None or record.harness is None:
        return record.worker_cpu_s
    return record.worker_cpu_s + record.harness.parent_cpu_s + (record.harness.watchdog_cpu_s or 0.0)


def shares_cores(record: TrialRecord) -> bool:
    """Whether replicas of a trial compute on the same CPU cores, or may do so."""
    cell, effective = record.trial.cell, record.effective
    if cell.kind != "cpu" or cell.replicas == 1:
        return False
    places = (effective.cores or effective.cpus) if effective else []  # older files tell of CPUs only
    return len(places) < cell.replicas or not apart(places)


def _notes(record: TrialRecord, suffering: Sequence[str]) -> list[str]:
    """What a reader must know beside the figures."""
    notes = [record.reason] if record.reason else []
    if shares_cores(record) and record.status == "ok":
        notes.append("functional, not scaling: the replicas share the same cores")
    return [*notes, *suffering, *(record.effective.notes if record.effective else [])]


def _suffering(record: TrialRecord) -> list[str]:
    """What the parent's machine suffered where the workers were on it, else what each of their hosts did."""
    if record.hosts:
        parts = record.hosts.items()
        return [f"{host}: {line}" for host, part in parts for line in suffered(part.before, part.after, part.own_cpu_s)]
    if record.conditions_before and record.conditions_after:
        return suffered(record.conditions_before, record.conditions_after, _own_cpu_s(record))
    return []
