"""What the GPUs of a stored trial did, from its telemetry file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.measure.energy import NO_SAMPLES, longest_stretch
from bench.measure.telemetry import GpuFigures, figures_of
from bench.report.text import percent
from bench.report.timed import Timed
from bench.store.record import TrialRecord
from bench.store.telemetry import Telemetry, joined, read_telemetry

_NONE = GpuFigures()
"""One for all: rows go from process to process."""
DEAR = 0.005
"""Share of a core: a sampler that takes more says so."""
ReadTelemetry = Callable[[TrialRecord], Telemetry | None]
"""The telemetry of a trial; None for one that has no GPU to tell of."""


def telemetry_below(folder: Path) -> ReadTelemetry:
    """Reads from a run's folder, and from nowhere else whatever a record says."""

    def read(record: TrialRecord) -> Telemetry | None:
        if record.telemetry is None:
            return None
        first = read_telemetry(folder / "telemetry" / f"{record.trial.trial_id}.jsonl")
        ranks = range(1, record.trial.cell.workers)
        beside = [folder / "telemetry" / f"{record.trial.trial_id}-rank{rank}.jsonl" for rank in ranks]
        others = [read_telemetry(path) for path in beside if path.exists()]
        told = joined([(part, _clock_offset_s(record, part)) for part in (first, *others)]) if others else first
        return _whole(told, record.trial.cell.replicas)

    return read


def _whole(told: Telemetry, gpus: int) -> Telemetry:
    """With a GPU without samples where some of a trial's are missing: the sum over the others would pass for all."""
    if not 0 < len(told.gpus) < gpus:
        return told
    name, reason = "of another host", "its telemetry is missing"
    return replace(told, gpus=told.gpus | {name: NO_SAMPLES}, lost=told.lost | {name: reason})


def _clock_offset_s(record: TrialRecord, part: Telemetry) -> float | None:
    """How far a host's clock is ahead of the one that windows are told on; None where that is not known."""
    if part.host == record.host:
        return 0.0
    own = record.hosts.get(part.host)
    return own.clock_offset_s if own else None


def gpu_figures(record: TrialRecord, steady: Timed, telemetry: Telemetry | None) -> GpuFigures:
    """The figures over the steady windows, with what is to be known of them as notes."""
    if telemetry is None:
        return _NONE
    timed = [window for window in record.windows if window.phase == "window"]
    counted = timed[len(timed) - len(steady) :]
    figures = figures_of(
        list(telemetry.gpus.values()),
        [(window.start_s, window.window_s) for window in counted],
        longest_stretch(record.windows, record.trial.cell.global_batch),
        [f"GPU {name}" for name in telemetry.gpus],
    )
    worker = telemetry.processes.get(record.pid) if record.pid is not None else None
    return replace(figures, nvml_worker_peak_memory_bytes=worker, notes=(*_notes(telemetry), *figures.notes))


def _notes(telemetry: Telemetry) -> list[str]:
    notes = [f"GPU {uuid} lost: {reason}" for uuid, reason in telemetry.lost.items()]
    if not any(len(samples.at_s) for samples in telemetry.gpus.values()):
        notes.append(f"no telemetry: {telemetry.reason or 'no sample was taken'}")
    if telemetry.cpu_share is not None and telemetry.cpu_share > DEAR:
        notes.append(f"sampling the GPUs took {percent(telemetry.cpu_share)} % of a core")
    return notes
