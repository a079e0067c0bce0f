"""The conversation of a trial: JSON lines, commands to the worker and answers from it.

The parent sends `prepare`, then any number of `window` and `evaluate`, then `finish`; the worker answers
`hello` (unasked), `ready`, `window_done`, `evaluated`, `finished`, or `failed` at any time. `ping` is for
the watchdog in between and is never answered. Times are seconds of the worker host's CLOCK_MONOTONIC.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from bench.trial import Status, Trial

PROTOCOL_VERSION = 2
HELLO_TOKEN = "bench-worker-hello "  # noqa: S105  # not a secret: marks where noise ends and the protocol begins
LONGEST_LINE = 1_000_000
PING_EVERY_S = 2.0
SILENCE_KILLS_AFTER_S = 8.0


class _Message(BaseModel):
    # NaN and infinity have no place in JSON: what is not finite is said as None, where that is allowed
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1, lt=2**53)]


class Prepare(_Message):
    """Build the trial; `data` is the path of the data set on the worker's host, None the embedded copy."""

    kind: Literal["prepare"] = "prepare"
    trial: Trial
    data: str | None = None


class RunWindow(_Message):
    """Train `steps` steps between two synchronised clock readings."""

    kind: Literal["window"] = "window"
    steps: Count


class Evaluate(_Message):
    """Measure test loss and accuracy, off the clock of windows."""

    kind: Literal["evaluate"] = "evaluate"


class Finish(_Message):
    """Report memory, then end."""

    kind: Literal["finish"] = "finish"


class Hello(_Message):
    """Who answers, gathered without TensorFlow; a newer worker may say more, and is still told its version is wrong."""

    model_config = ConfigDict(extra="ignore")

    kind: Literal["hello"] = "hello"
    protocol_version: int
    host: str
    pid: int
    versions: dict[str, str]


class EffectiveSettings(_Message):
    """What the live worker really runs, read back from TensorFlow and Keras; buffers and notes follow from the cell."""

    strategy: str
    replicas: int
    devices: list[str]
    variable_dtype: str
    compute_dtype: str
    xla: bool
    xla_scope: Literal["none", "step", "window"]
    tf32: bool
    loss_scaling: bool
    cross_device_ops: str | None
    optimizer: str
    intra_op_threads: int
    inter_op_threads: int
    onednn: bool
    parameters: int
    buffered_batches: int
    notes: list[str] = []


class Ready(_Message):
    """The model stands and its first step has been trained: `first_step_s` is tracing and compiling too."""

    kind: Literal["ready"] = "ready"
    effective: EffectiveSettings
    import_s: float
    build_s: float
    first_step_s: Seconds
    first_step_start_s: float
    train_images: Count
    training_flops_per_image: Count
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


class Finished(_Message):
    """The last word of a worker that ends well; bytes, None where not measured."""

    kind: Literal["finished"] = "finished"
    peak_host_memory_bytes: Count | None
    peak_device_memory_bytes: Count | None


class Failed(_Message):
    """The last word of a worker that cannot go on."""

    kind: Literal["failed"] = "failed"
    status: Status
    reason: str


AnyCommand = Prepare | RunWindow | Evaluate | Finish
AnyAnswer = Hello | Ready | WindowDone | Evaluated | Finished | Failed
COMMANDS: TypeAdapter[AnyCommand] = TypeAdapter(Annotated[AnyCommand, Field(discriminator="kind")])
ANSWERS: TypeAdapter[AnyAnswer] = TypeAdapter(Annotated[AnyAnswer, Field(discriminator="kind")])
