"""What a worker answers."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from bench.host import HostPart
from bench.protocol.commands import Probe
from bench.protocol.effective import CPUS, EffectiveSettings
from bench.protocol.message import Count, Message, Seconds, Sha256
from bench.trial import Device, Precision, Status


class WorkerState(Message):
    """What the watchdog sees of its worker."""

    kind: Literal["worker_state"] = "worker_state"
    state: Literal["running", "stopped", "ended"]
    unreached: list[str] | None = None
    """Of the addresses that were asked about; None where it was asked about none."""


class Workload(Message):
    """The `mnist_cnn` that a worker imports, and what trains it."""

    model_config = ConfigDict(extra="ignore")  # stored too: a newer file with additions stays readable

    folder: str
    """Where it is on its host."""
    sha256: Sha256
    """SHA-256 of what is in it."""
    worker_sha256: Sha256 | None = None
    """SHA-256 of the worker's own code, null where it does not tell."""


class Hello(Message):
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
    cpus: Annotated[str, Field(pattern=f"^({CPUS})?$", max_length=10_000)] = ""


class Met(Message):
    """The addresses that could not be reached, and why."""

    kind: Literal["met"] = "met"
    unreached: dict[str, str] = {}


class EnvironmentRead(Message):
    """What `bench.measure.environment` found on the worker's host, and whether there is a TensorFlow."""

    kind: Literal["environment_read"] = "environment_read"
    environment: dict[str, Any]
    tensorflow: bool


class Serving(Message):
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
    cores: list[str] = []
    addresses: list[str]
    interface: str | None
    network_settings: dict[str, str]
    notes: list[str] = []


class Ready(Message):
    """The model stands and its first step has been trained: `first_step_s` is tracing and compiling too.

    `data_sha256` is of the data set that was loaded, as mnist_cnn.dataset tells it.
    """

    kind: Literal["ready"] = "ready"
    effective: EffectiveSettings
    build: dict[str, str] = {}
    import_s: float
    build_s: float
    first_step_s: Seconds
    first_step_start_s: float
    train_images: Count
    data_sha256: Sha256 | None = None
    training_flops_per_image: Count
    training_bytes_per_image: Count | None = None
    loss: float | None
    accuracy: float


class WindowDone(Message):
    """One window: when it began, how long it took, what it trained; `loss` is None where it is not finite."""

    kind: Literal["window_done"] = "window_done"
    start_s: float
    window_s: Seconds
    steps: Count
    loss: float | None
    accuracy: float


class Evaluated(Message):
    """Test loss and accuracy after the windows so far; `loss` is None where it is not finite."""

    kind: Literal["evaluated"] = "evaluated"
    start_s: float
    evaluate_s: float
    loss: float | None
    accuracy: float


class ProbeDone(Message):
    """One window of a probe, which has no figures but its time."""

    kind: Literal["probe_done"] = "probe_done"
    probe: Probe
    steps: Count
    window_s: Seconds


class CollectivesMeasured(Message):
    """One window of all-reduces; the first of a size is tracing too."""

    kind: Literal["collectives_measured"] = "collectives_measured"
    elements: Count
    calls: Count
    dispatched: bool = False
    window_s: Seconds


class ComputingMeasured(Message):
    """One window of steps without a sum over replicas; the first is tracing too."""

    kind: Literal["computing_measured"] = "computing_measured"
    steps: Count
    window_s: Seconds


class DiagnosisEnded(Message):
    """Weights, optimizer and seeds are as before the diagnosis."""

    kind: Literal["diagnosis_ended"] = "diagnosis_ended"


class Finished(Message):
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


class DiagnosisBegun(Message):
    """The probes that say something about this trial, and what the worker would have said had it finished here."""

    kind: Literal["diagnosis_begun"] = "diagnosis_begun"
    probes: list[Probe]
    so_far: Finished


class Ceiling(Message):
    """What timed windows reached, in the unit that the field it stands in names."""

    model_config = ConfigDict(extra="ignore")  # stored too: a newer file with additions stays readable

    value: Annotated[float, Field(gt=0)]
    """The best of them."""
    median: Annotated[float, Field(gt=0)]
    """Their median."""
    n: Count
    """How many there were."""


class CeilingsMeasured(Message):
    """What a device did at its best."""

    model_config = ConfigDict(extra="ignore")  # likewise

    kind: Literal["ceilings_measured"] = "ceilings_measured"
    device: Device
    """Which it was."""
    threads: Count | None
    """Of TensorFlow; null where they were left to it."""
    matmul_flops_per_s: dict[Precision, Ceiling]
    """By precision."""
    convolution_flops_per_s: dict[Precision, Ceiling]
    """By precision."""
    memory_bytes_per_s: Ceiling
    """Read and written."""
    dispatch_s: Ceiling
    """A call of a `tf.function` that does nothing."""


class Failed(Message):
    """The last word of a worker that cannot go on; `port_taken`: another one, on another port, might.

    `rank` is whose fault it is where it is another rank's.
    """

    kind: Literal["failed"] = "failed"
    status: Status
    reason: str
    port_taken: bool = False
    rank: Annotated[int, Field(ge=0)] | None = None
