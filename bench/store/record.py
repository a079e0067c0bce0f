"""The schema of a stored run: raw values only; every figure of a report is derived from them on reading."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from bench.host import Amount, Conditions, HostPart
from bench.measure.diagnosis import AS_IS
from bench.protocol.answers import CeilingsMeasured, Workload
from bench.protocol.effective import EffectiveSettings
from bench.protocol.message import Count, Figure, Seconds
from bench.store.model import StoredModel
from bench.store.windows import OF_ANY_VERSION, WindowColumns
from bench.trial import TARGET_ACCURACY, Status, StoppedBy, Trial

SCHEMA_VERSION = 2


class EpochRecord(StoredModel):
    """One whole epoch: training figures while it ran, test figures after it, seconds of each."""

    epoch: int
    """Its number, from 1 on."""
    train_loss: Figure | None
    """Mean over the training images while they were trained."""
    train_accuracy: Figure
    """Share of the training images that were told rightly while they were trained."""
    test_loss: Figure | None
    """Mean over the test images after it; null where that was no number."""
    test_accuracy: Figure
    """Share of the test images that were told rightly after it."""
    train_s: Figure
    """Seconds of its windows after the first step, run-ins included."""
    evaluate_s: Figure
    """Seconds of the evaluation after it."""
    evaluate_start_s: Figure | None = None
    """When that began, on the clock of the windows' `start_s`; older files do not have it."""


def _with_as_is(one: dict[str, float]) -> dict[str, float]:
    if AS_IS not in one:
        raise ValueError(f"a round of a diagnosis without {AS_IS!r}")
    return one


class HarnessCost(StoredModel):
    """What the harness took while the trial's windows ran, from the first step to the last window."""

    span_s: Seconds
    """Seconds from the first step to the last window."""
    cpus: Count
    """CPUs that could be used."""
    parent_cpu_s: Figure
    """CPU seconds of the process that ran the suite."""
    watchdog_cpu_s: Figure | None
    """CPU seconds of the worker's watchdog; null where it did not tell."""
    exchanged_bytes: Count
    """Bytes of the conversation."""

    @property
    def cpu_share(self) -> float:
        """Of one CPU's time in the span: the most throughput that this can have cost.

        Not of all CPUs': a step ends when its slowest thread does, so one CPU taken away may hold up all the others.
        """
        return (self.parent_cpu_s + (self.watchdog_cpu_s or 0.0)) / self.span_s


DiagnosisRounds = Annotated[
    list[Annotated[dict[str, Seconds], AfterValidator(_with_as_is)]],
    Field(max_length=1000),  # the arithmetic of a diagnosis is quadratic in them
]


class CollectiveWindow(StoredModel):
    """All-reduces over the replicas of a trial, one after the other, nothing else."""

    elements: Count
    """float32 in each all-reduce."""
    calls: Count
    """All-reduces in the window."""
    dispatched: bool = False
    """Whether they were dispatched one by one, else all in one dispatch."""
    window_s: Seconds
    """Seconds of all of them."""


class ComputingWindow(StoredModel):
    """Steps of all replicas at once, none of which waited for another's gradient."""

    steps: Count
    """Training steps of each replica."""
    window_s: Seconds
    """Seconds of all of them."""


class TrialRecord(StoredModel):
    """One trial as it went. Null means not measured."""

    trial: Trial
    """The cell, its seed and its repeat."""
    status: Status
    """How it ended."""
    reason: str | None = None
    """Why a figure is missing or the trial failed."""
    stopped_by: StoppedBy | None = None
    """Why measuring ended."""
    started_utc: str | None = None
    """When it began, ISO 8601."""
    host: str | None = None
    """The host of the worker, of several that of rank 0."""
    pid: int | None = None
    """The worker's process."""
    versions: dict[str, str] | None = None
    """Packages of the worker that decide a number."""
    workload: Workload | None = None
    """The `mnist_cnn` that was trained."""
    effective: EffectiveSettings | None = None
    """What really ran, read back from the live worker."""
    build: dict[str, str] | None = None
    """What TensorFlow was built with."""
    import_s: Figure | None = None
    """Seconds to import TensorFlow and Keras; of several ranks the slowest one's, as in the next two."""
    build_s: Figure | None = None
    """Seconds to build the model and its input."""
    first_step_s: Figure | None = None
    """Seconds of the first step, tracing and compiling included."""
    train_images: Count | None = None
    """Training images of the data set."""
    training_flops_per_image: Count | None = None
    """Floating point operations of a training step per image, from the layers."""
    training_bytes_per_image: Count | None = None
    """Bytes that a training step moves per image at least, from the layers."""
    windows: Annotated[WindowColumns, OF_ANY_VERSION] = WindowColumns()
    """In order, in columns."""
    epochs: list[EpochRecord] = []
    """The whole ones."""
    import_host_memory_bytes: Count | None = None
    """Peak of a worker, of several the highest, with TensorFlow and Keras imported and nothing else done (VmHWM)."""
    peak_host_memory_bytes: Count | None = None
    """Peak of a worker, of several the highest, while it trained, up to the first evaluation (VmHWM)."""
    pss_host_memory_bytes: Count | None = None
    """PSS of all workers, their share of shared pages included, when the peak was read."""
    peak_device_memory_bytes: Count | None = None
    """TensorFlow's peak on a GPU, of several the highest."""
    worker_cpu_s: Seconds | None = None
    """CPU seconds of all workers from their start to their last word or to their diagnosis."""
    own_cpu_s: Amount | None = None
    """CPU seconds of all workers and their watchdogs once told to prepare; null where `hosts` tell of each."""
    harness: HarnessCost | None = None
    """What measuring took."""
    diagnosis: DiagnosisRounds | None = None
    """Whole rounds: seconds per step of the trial as it is (`as_is`) and of each probe."""
    collectives: list[CollectiveWindow] | None = None
    """Windows of all-reduces alone, of several replicas."""
    computing: list[ComputingWindow] | None = None
    """Windows of steps without all-reduces, of several replicas."""
    conditions_before: Conditions | None = None
    """The host's counters before the worker was told to prepare; of several hosts rank 0's."""
    conditions_after: Conditions | None = None
    """The same when the worker had told its CPU seconds."""
    hosts: dict[str, HostPart] = {}
    """The parts of hosts that are not the parent's."""
    wall_s: Figure | None = None
    """Seconds of the whole trial, from the start of its worker to its end."""
    log: str | None = None
    """Path of the worker's stderr below the run's folder."""
    telemetry: str | None = None
    """Path of what its GPUs did below the run's folder."""


class Ceilings(StoredModel):
    """What one exact unit can do with one TensorFlow."""

    exact_unit: str
    """The machine they are of."""
    usable_cpus: Count
    """CPUs that could be used."""
    tensorflow: str
    """Its version."""
    method: Count = 1
    """How they were measured: 1 by TensorFlow's kernels alone, 2 by the faster of its and NumPy's on CPUs."""
    measured_utc: str
    """When, ISO 8601."""
    spoilers: list[str] = []
    """What was found to disturb the measurement."""
    measured: list[CeilingsMeasured]
    """Those of each device and number of threads."""


class RunRecord(StoredModel):
    """`run.json`: what was asked, of which code, on which machine."""

    schema_version: int = SCHEMA_VERSION
    """Of this file and of trials.jsonl; a reader refuses a newer one."""
    suite: str
    """Its name."""
    description: str = ""
    """What the suite is for."""
    created_utc: str
    """When the run began, ISO 8601."""
    trials: list[Trial]
    """What was planned, in the order of execution."""
    trial_budget_s: Figure | None
    """Seconds to train and evaluate per trial; null: no limit."""
    run_budget_s: Figure | None
    """Seconds of the whole run; null: no limit."""
    target_accuracy: Annotated[float, Field(gt=0, le=1)] = TARGET_ACCURACY
    """Test accuracy that seconds are counted to, a share of 1."""
    diagnose: bool = False
    """Whether it was to be found out what bounds each trial."""
    max_batch: bool = False
    """Whether the largest batches were searched."""
    launched: dict[str, str] = {}
    """How workers were started, where not as plain processes."""
    data: str | None
    """Path of the data set; null: the embedded copy."""
    data_sha256: str
    """SHA-256 of its arrays."""
    environment: dict[str, Any]
    """The machine and its software before the run."""
    environment_after: dict[str, Any] | None = None
    """The same after it."""
    ceilings: Ceilings | None = None
    """What the machine can do at its best, where that was measured before."""
