"""One stored trial becomes one row of every table: the figures that people read, derived from raw windows."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.measure.diagnosis import Diagnosis, diagnose
from bench.measure.roofline import Place, Work, work_of
from bench.measure.statistics import (
    Interval,
    steady_from,
    step_time_quantiles_s,
    throughput_images_per_s,
    throughput_interval,
)
from bench.measure.stopping import alpha_of
from bench.measure.suffering import suffered
from bench.store.record import Ceilings, TrialRecord, Window


@dataclass(frozen=True)
class Row:
    """The derived figures of one trial; None where it was not measured.

    `steady` are the windows that count, short ones included. A trial that ran with other settings than asked
    (`invalid`) has no figure here: nothing it did may be credited to its cell.
    """

    record: TrialRecord
    steady: tuple[Window, ...]
    throughput_images_per_s: float | None
    interval: Interval | None
    step_s_p50: float | None
    step_s_p90: float | None
    step_s_p99: float | None
    warmup_windows: int
    training_s: float | None
    evaluation_s: float | None
    test_accuracy: float | None
    test_loss: float | None
    notes: tuple[str, ...]
    diagnosis: Diagnosis | None
    work: Work

    @property
    def place(self) -> Place:
        """Its MFU and its place under the roofs."""
        return self.work.place(self.throughput_images_per_s)

    @property
    def steady_windows(self) -> int:
        """How many windows count for throughput."""
        return len(self.steady)


def row_of(record: TrialRecord, ceilings: Ceilings | None = None) -> Row:
    """Derive a row, under the ceilings of its run, if they are known.

    Short windows count for throughput and its interval, not for warm-up and the quantiles.
    """
    windows = [window for window in record.windows if window.phase == "window"]
    whole = [window for window in windows if not window.short]
    warmup = steady_from([window.window_s / window.steps for window in whole])
    steady = [window for window in windows if not whole or window.start_s >= whole[warmup].start_s]
    believable = steady if record.status != "invalid" else []
    batch = record.trial.cell.global_batch
    p50, p90, p99 = quantiles_s(believable)
    final = record.epochs[-1] if record.epochs and len(record.epochs) == record.trial.cell.epochs else None
    learned = final if record.status != "invalid" else None
    return Row(
        record=record,
        steady=tuple(steady),
        throughput_images_per_s=throughput_images_per_s(*steps_and_s(believable), batch),
        interval=throughput_interval(*steps_and_s(believable), batch, alpha_of(record.stopped_by)),
        step_s_p50=p50,
        step_s_p90=p90,
        step_s_p99=p99,
        warmup_windows=warmup,
        training_s=sum(w.window_s for w in record.windows if w.phase != "first_step") if record.windows else None,
        evaluation_s=sum(epoch.evaluate_s for epoch in record.epochs) if record.epochs else None,
        test_accuracy=learned.test_accuracy if learned else None,
        test_loss=learned.test_loss if learned else None,
        notes=tuple(_notes(record)),
        diagnosis=diagnose(record.diagnosis or []) if record.status != "invalid" else None,
        work=_work(record, ceilings),
    )


def quantiles_s(windows: Sequence[Window]) -> tuple[float | None, float | None, float | None]:
    """p50, p90 and p99 seconds per step over whole windows, over the short ones where there are no others."""
    return step_time_quantiles_s(*steps_and_s(_whole(windows) or windows)) or (None, None, None)


def steps_and_s(windows: Sequence[Window]) -> tuple[list[int], list[float]]:
    """The steps and the seconds of each window."""
    return [window.steps for window in windows], [window.window_s for window in windows]


def _whole(windows: Sequence[Window]) -> list[Window]:
    return [window for window in windows if not window.short]


def _work(record: TrialRecord, ceilings: Ceilings | None) -> Work:
    flops, size_bytes = record.training_flops_per_image, record.training_bytes_per_image
    return work_of(record.trial.cell, record.effective, flops, size_bytes, ceilings.measured if ceilings else [])


def _own_cpu_s(record: TrialRecord) -> float | None:
    """CPU seconds of the worker and of the harness."""
    if record.worker_cpu_s is None or record.harness is None:
        return record.worker_cpu_s
    return record.worker_cpu_s + record.harness.parent_cpu_s + (record.harness.watchdog_cpu_s or 0.0)


def _notes(record: TrialRecord) -> list[str]:
    """What a reader must know beside the figures."""
    notes = [record.reason] if record.reason else []
    cell = record.trial.cell
    if cell.device == "cpu" and cell.replicas > 1 and record.status == "ok":
        notes.append("functional, not scaling: the replicas share the same cores")
    if record.conditions_before and record.conditions_after:
        notes += suffered(record.conditions_before, record.conditions_after, _own_cpu_s(record))
    return notes + (record.effective.notes if record.effective else [])
