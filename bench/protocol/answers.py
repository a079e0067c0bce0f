"""The conversation of a trial: JSON lines, commands to the worker and answers from it.

The parent sends `prepare`, then any number of `window` and `evaluate`, then `finish`; the worker answers
`hello` (unasked), `ready`, `window_done`, `evaluated`, `finished`, or `failed` at any time. Between
`begin_diagnosis` (`diagnosis_begun`) and `end_diagnosis` (`diagnosis_ended`) it may also send `probe`
(`probe_done`). With the windows over it may send `measure_collectives` (`collectives_measured`) and
`measure_computing` (`computing_measured`) to a trial of several replicas. Where a coordinator leads them, the other
ranks answer `serving` to `prepare`, and after that only `finish`. `ping` is for the watchdog in between and is never
answered; `ask_state` it answers itself (`worker_state`). Told `measure_ceilings` or `ask_environment` instead of
`prepare`, a worker answers `ceilings_measured` or `environment_read` and ends. Times are seconds of the worker host's
CLOCK_MONOTONIC.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from bench.host import HostPart
from bench.trial import Device, Precision, Role, Status, Trial

PROTOCOL_VERSION = 5
HELLO_TOKEN = "bench-worker-hello "  # noqa: S105  # not a secret: marks where noise ends and the protocol begins
LONGEST_LINE = 1_000_000
PING_EVERY_S = 2.0
SILENCE_KILLS_AFTER_S = 8.0
NETWORK_SETTINGS = re.compile(r"NCCL_\w+|GRPC_(?!DEFAULT_SSL_ROOTS)\w+")
"""Variables that tune the network between workers; TensorFlow's gRPC does without certificates."""

ALLOCATOR_SWITCH = "TF_GPU_ALLOCATOR"
IGNORED_VARIABLES = {
    "KERAS_BACKEND",
    "NVIDIA_TF32_OVERRIDE",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    ALLOCATOR_SWITCH,
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
}
"""What a worker leaves out of its shell's environment, since the trial alone decides it."""


class _Message(BaseModel):
    # NaN and infinity have no place in JSON: what is not finite is said as None, where that is allowed
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Probe = Literal["fused", "resident", "communication"]
"""What a window may run beside the trial's own training, to find out what bounds it (bench.worker.probes)."""
Seconds = Annotated[float, Field(gt=1e-12, lt=1e12)]
"""Of what took time; beyond these bounds it is no time, and arithmetic with it no arithmetic."""
Figure = Annotated[float, Field(gt=-1e40, lt=1e40)]
"""Any other number: no float32 is beyond these bounds, and its square still is a number."""
Count = Annotated[int, Field(ge=1, lt=2**53)]


class Prepare(_Message):
    """Build the trial; `data` is the path of the data set on the worker's host, None the embedded copy.

    `gpus` are the UUIDs of those that it takes, of several ranks rank by rank; none leaves it to each worker to choose.
    """

    kind: Literal["prepare"] = "prepare"
    trial: Trial
    data: str | None = None
    gpus: list[str] = []
    place: "Place | None" = None


class Place(_Message):
    """A rank's place among several: their `host:port` addresses and roles by rank.

    `local_rank` ranks of its own role come before it on its host, and `cpu_rank` of the `cpu_ranks` that may run on the
    same CPUs, as a launcher may have given each its own; without `roles` all are workers.
    `interface` is the network's that was asked for, None where none was.
    """

    cluster: Annotated[list[str], Field(min_length=1)]
    roles: list[Role] = []
    rank: Annotated[int, Field(ge=0)]
    local_rank: Annotated[int, Field(ge=0)] = 0
    cpu_rank: Annotated[int, Field(ge=0)] = 0
    cpu_ranks: Annotated[int, Field(ge=1)] = 1
    interface: str | None = None

    @property
    def role(self) -> Role:
        """What this rank does."""
        return self.roles[self.rank] if self.roles else "worker"


class MeasureCeilings(_Message):
    """Measure what a device can do, `kernel_s` seconds for each kernel; `threads` None leaves them to TensorFlow."""

    kind: Literal["measure_ceilings"] = "measure_ceilings"
    device: Device
    precisions: Annotated[list[Precision], Field(min_length=1)]
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None
    kernel_s: Seconds = 2.0


class AskEnvironment(_Message):
    """Tell what this host is; TensorFlow is not imported for it."""

    kind: Literal["ask_environment"] = "ask_environment"


class RunWindow(_Message):
    """Train `steps` steps between two synchronised clock readings."""

    kind: Literal["window"] = "window"
    steps: Count


class Evaluate(_Message):
    """Measure test loss and accuracy, off the clock of windows."""

    kind: Literal["evaluate"] = "evaluate"


class MeasureCollectives(_Message):
    """Sum an array of `elements` float32 over all replicas, `calls` times, between two clock readings.

    All in one dispatch, or `dispatched` one by one, as the engine `step` dispatches its steps.
    """

    kind: Literal["measure_collectives"] = "measure_collectives"
    elements: Count
    calls: Count
    dispatched: bool = False


class MeasureComputing(_Message):
    """Train `steps` steps without summing gradients over replicas, between two clock readings, then undo them.

    Before them come `run_in` untimed ones.
    """

    kind: Literal["measure_computing"] = "measure_computing"
    steps: Count
    run_in: Count


class BeginDiagnosis(_Message):
    """Take the peaks of memory and save the training's state."""

    kind: Literal["begin_diagnosis"] = "begin_diagnosis"


class RunProbe(_Message):
    """Run `steps` steps of a probe, within a diagnosis, between two synchronised clock readings."""

    kind: Literal["probe"] = "probe"
    probe: Probe
    steps: Count


class EndDiagnosis(_Message):
    """Put the training's state back as it was; what the worker says on finishing is of no trial any more."""

    kind: Literal["end_diagnosis"] = "end_diagnosis"


class Finish(_Message):
    """Report memory, then end."""

    kind: Literal["finish"] = "finish"


class AskState(_Message):
    """Ask the watchdog how its worker is, which answers even while the worker cannot."""

    kind: Literal["ask_state"] = "ask_state"


class WorkerState(_Message):
    """What the watchdog sees of its worker."""

    kind: Literal["worker_state"] = "worker_state"
    state: Literal["running", "stopped", "ended"]


class Workload(_Message):
    """The `mnist_cnn` that a worker imports: the folder on its host, and the hash of what is in it."""

    model_config = ConfigDict(extra="ignore")  # stored too: a newer file with additions stays readable

    folder: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Hello(_Message):
    """Who answers, gathered without TensorFlow; a newer worker may say more, and is still told its version is wrong.

    `cpus` are those it may run on, as Linux lists them.
    """

    model_config = ConfigDict(extra="ignore")

    kind: Literal["hello"] = "hello"
    protocol_version: int
    host: str
    pid: int
    versions: dict[str, str]
    address: str = "127.0.0.1"
    interface: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    workload: Workload | None = None
    cpus: Annotated[str, Field(pattern=r"^(\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*)?$", max_length=10_000)] = ""


class EnvironmentRead(_Message):
    """What `bench.measure.environment` found on the worker's host, and whether there is a TensorFlow."""

    kind: Literal["environment_read"] = "environment_read"
    environment: dict[str, Any]
    tensorflow: bool


class EffectiveSettings(_Message):
    """What the live worker really runs, read back from TensorFlow and Keras; buffers and notes follow from the cell.

    `cpus` are each worker's host and the CPUs that it may run on there, such as `node1 0-3`. Where replicas do not
    wait for each other, up to `in_flight_steps` are under way at any clock reading, so that a window may have so many
    more or fewer steps than were asked. `workers` and `servers` are the cluster's, None where no coordinator told.
    """

    model_config = ConfigDict(extra="ignore")  # stored too: a newer file with additions stays readable

    strategy: str
    replicas: int
    global_batch: int | None = None
    devices: list[str]
    variable_dtype: str
    compute_dtype: str
    xla: bool
    xla_program: str | None = None
    xla_scope: Literal["none", "step", "window"]
    tf32: bool
    loss_scaling: bool
    cross_device_ops: str | None
    optimizer: str
    intra_op_threads: int
    inter_op_threads: int
    shards: Count = 1
    cpus: list[str] = []
    onednn: bool
    allocator: str | None = None
    gpu_models: list[str] = []
    addresses: list[str] = []
    interface: str | None = None
    network_settings: dict[str, str] = {}
    parameters: int
    buffered_batches: int
    in_flight_steps: Annotated[int, Field(ge=0)] = 0
    workers: Count | None = None
    servers: Count | None = None
    notes: list[str] = []

    @property
    def run_in_steps(self) -> int:
        """Steps after a pause that no window counts: they drain what piled up, and get all under way that may be."""
        return self.buffered_batches + self.in_flight_steps + 1


class Serving(_Message):
    """A rank that computes for a coordinator, or keeps its weights, can be reached.

    What its process really is stands under the names of `EffectiveSettings`.
    """

    kind: Literal["serving"] = "serving"
    intra_op_threads: Count
    inter_op_threads: Count
    onednn: bool
    allocator: str | None
    gpu_models: list[str]
    cpus: list[str]
    addresses: list[str]
    interface: str | None
    network_settings: dict[str, str]
    notes: list[str] = []


class Ready(_Message):
    """The model stands and its first step has been trained: `first_step_s` is tracing and compiling too."""

    kind: Literal["ready"] = "ready"
    effective: EffectiveSettings
    build: dict[str, str] = {}
    import_s: float
    build_s: float
    first_step_s: Seconds
    first_step_start_s: float
    train_images: Count
    training_flops_per_image: Count
    training_bytes_per_image: Count | None = None
    loss: float | None
    accuracy: float


class WindowDone(_Message):
    """One window: when it began, how long it took, what it trained; `loss` is None where it is not finite."""

    kind: Literal["window_done"] = "window_done"
    start_s: float
    window_s: Seconds
    steps: Count
    loss: float | None
    accuracy: float


class Evaluated(_Message):
    """Test loss and accuracy after the windows so far; `loss` is None where it is not finite."""

    kind: Literal["evaluated"] = "evaluated"
    start_s: float
    evaluate_s: float
    loss: float | None
    accuracy: float


class ProbeDone(_Message):
    """One window of a probe, which has no figures but its time."""

    kind: Literal["probe_done"] = "probe_done"
    probe: Probe
    steps: Count
    window_s: Seconds


class CollectivesMeasured(_Message):
    """One window of all-reduces; the first of a size is tracing too."""

    kind: Literal["collectives_measured"] = "collectives_measured"
    elements: Count
    calls: Count
    dispatched: bool = False
    window_s: Seconds


class ComputingMeasured(_Message):
    """One window of steps without a sum over replicas; the first is tracing too."""

    kind: Literal["computing_measured"] = "computing_measured"
    steps: Count
    window_s: Seconds


class DiagnosisEnded(_Message):
    """Weights, optimizer and seeds are as before the diagnosis."""

    kind: Literal["diagnosis_ended"] = "diagnosis_ended"


class Finished(_Message):
    """The last word of a worker that ends well; bytes and CPU seconds of its process, None where not measured.

    `hosts` are the parts of the hosts by their names, first that of rank 0; of one worker its own.
    """

    kind: Literal["finished"] = "finished"
    watchdog_cpu_s: float | None = None
    worker_cpu_s: Seconds | None = None
    import_host_memory_bytes: Count | None = None
    peak_host_memory_bytes: Count | None
    pss_host_memory_bytes: Count | None = None
    peak_device_memory_bytes: Count | None
    hosts: dict[str, HostPart] = {}


class DiagnosisBegun(_Message):
    """The probes that say something about this trial, and what the worker would have said had it finished here."""

    kind: Literal["diagnosis_begun"] = "diagnosis_begun"
    probes: list[Probe]
    so_far: Finished


class Ceiling(_Message):
    """The best of `n` timed windows, and their median, in the unit that the field it stands in names."""

    model_config = ConfigDict(extra="ignore")  # stored too: a newer file with additions stays readable

    value: Annotated[float, Field(gt=0)]
    median: Annotated[float, Field(gt=0)]
    n: Count


class CeilingsMeasured(_Message):
    """What a device did at its best, on `threads` threads of TensorFlow; None where the threads were left to it.

    A mapping is by the cell's precision; `dispatch_s` is a call of a `tf.function` that does nothing.
    """

    model_config = ConfigDict(extra="ignore")  # likewise

    kind: Literal["ceilings_measured"] = "ceilings_measured"
    device: Device
    threads: Count | None
    matmul_flops_per_s: dict[Precision, Ceiling]
    convolution_flops_per_s: dict[Precision, Ceiling]
    memory_bytes_per_s: Ceiling
    dispatch_s: Ceiling


class Failed(_Message):
    """The last word of a worker that cannot go on; `port_taken`: another one, on another port, might."""

    kind: Literal["failed"] = "failed"
    status: Status
    reason: str
    port_taken: bool = False


AnyMeasurement = MeasureCollectives | MeasureComputing
AnyTrialCommand = RunWindow | Evaluate | AnyMeasurement | BeginDiagnosis | RunProbe | EndDiagnosis | Finish
AnyCommand = Prepare | MeasureCeilings | AskEnvironment | AnyTrialCommand | AskState
AnyTrialAnswer = (
    Ready
    | Serving
    | WindowDone
    | Evaluated
    | CollectivesMeasured
    | ComputingMeasured
    | DiagnosisBegun
    | ProbeDone
    | DiagnosisEnded
    | Finished
)
AnyAnswer = Hello | EnvironmentRead | AnyTrialAnswer | CeilingsMeasured | WorkerState | Failed
COMMANDS: TypeAdapter[AnyCommand] = TypeAdapter(Annotated[AnyCommand, Field(discriminator="kind")])
ANSWERS: TypeAdapter[AnyAnswer] = TypeAdapter(Annotated[AnyAnswer, Field(discriminator="kind")])
