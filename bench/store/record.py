"""The schema of a stored run: raw values only; every figure of a report is derived from them on reading."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from bench.measure.conditions import Conditions
from bench.protocol import CeilingsMeasured, Count, EffectiveSettings, Seconds
from bench.trial import Status, StoppedBy, Trial

SCHEMA_VERSION = 1
Phase = Literal["first_step", "run_in", "window"]


class _Stored(BaseModel):
    # extra fields are ignored, so that a newer file with additions stays readable
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class Window(_Stored):
    """Training between two clock readings.

    `phase` is `first_step` (trace and compile), `run_in` (untimed by the rules: it drains buffers after a
    pause) or `window`. `short` marks the last window of an epoch where fewer steps were left.
    """

    phase: Phase
    start_s: float
    window_s: Seconds
    steps: Count
    loss: float | None
    accuracy: float
    short: bool = False


class EpochRecord(_Stored):
    """One whole epoch: training figures while it ran, test figures after it, seconds of each."""

    epoch: int
    train_loss: float | None
    train_accuracy: float
    test_loss: float | None
    test_accuracy: float
    train_s: float
    evaluate_s: float


class HarnessCost(_Stored):
    """What the harness took while the trial's windows ran, from the first step to the last window.

    CPU seconds of this process and of the watchdog (None where not told), in `span_s` seconds on `cpus` CPUs; and the
    bytes of the conversation.
    """

    span_s: Seconds
    cpus: Count
    parent_cpu_s: float
    watchdog_cpu_s: float | None
    exchanged_bytes: Count

    @property
    def cpu_share(self) -> float:
        """Of all CPU time in the span: the most throughput that this can have cost a training that uses every CPU."""
        return (self.parent_cpu_s + (self.watchdog_cpu_s or 0.0)) / (self.span_s * self.cpus)


class TrialRecord(_Stored):
    """One trial as it went. None means not measured; `reason` says why a figure is missing or a trial failed.

    The conditions were read before the worker was told to prepare and after its last word; `worker_cpu_s` are the
    CPU seconds of all its threads from its start on. Host memory is the worker's: its peak when TensorFlow and Keras
    were imported and nothing else done, its peak while it trained, and its PSS when that was taken.
    """

    trial: Trial
    status: Status
    reason: str | None = None
    stopped_by: StoppedBy | None = None
    started_utc: str | None = None
    host: str | None = None
    pid: int | None = None
    versions: dict[str, str] | None = None
    effective: EffectiveSettings | None = None
    build: dict[str, str] | None = None
    import_s: float | None = None
    build_s: float | None = None
    first_step_s: float | None = None
    train_images: Count | None = None
    training_flops_per_image: Count | None = None
    training_bytes_per_image: Count | None = None
    windows: list[Window] = []
    epochs: list[EpochRecord] = []
    import_host_memory_bytes: Count | None = None
    peak_host_memory_bytes: Count | None = None
    pss_host_memory_bytes: Count | None = None
    peak_device_memory_bytes: Count | None = None
    worker_cpu_s: Seconds | None = None
    harness: HarnessCost | None = None
    diagnosis: list[dict[str, Seconds]] | None = None
    conditions_before: Conditions | None = None
    conditions_after: Conditions | None = None
    wall_s: float | None = None
    log: str | None = None


class Ceilings(_Stored):
    """What one exact unit can do with one TensorFlow; `spoilers` are what was found to disturb the measurement."""

    exact_unit: str
    usable_cpus: Count
    tensorflow: str
    measured_utc: str
    spoilers: list[str] = []
    measured: list[CeilingsMeasured]


class RunRecord(_Stored):
    """`run.json`: what was asked, of which code, on which machine."""

    schema_version: int = SCHEMA_VERSION
    suite: str
    description: str = ""
    created_utc: str
    trials: list[Trial]
    trial_budget_s: float | None
    run_budget_s: float | None
    diagnose: bool = False
    data: str | None
    data_sha256: str
    environment: dict[str, Any]
    environment_after: dict[str, Any] | None = None
    ceilings: Ceilings | None = None
