"""The schema of a stored run: raw values only; every figure of a report is derived from them on reading."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from bench.host import Conditions, HostPart
from bench.measure.diagnosis import AS_IS
from bench.protocol import CeilingsMeasured, Count, EffectiveSettings, Figure, Seconds, Workload
from bench.trial import TARGET_ACCURACY, Status, StoppedBy, Trial

SCHEMA_VERSION = 2
Phase = Literal["first_step", "run_in", "window"]


class StoredModel(BaseModel):
    """What is kept in a file: exact types, finite numbers, and nothing that is not known yet refused."""

    # extra fields are ignored, so that a newer file with additions stays readable
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class Window(StoredModel):
    """Training between two clock readings.

    `phase` is `first_step` (trace and compile), `run_in` (untimed by the rules: it drains buffers after a
    pause) or `window`. `short` marks the last window of an epoch where fewer steps were left.
    """

    phase: Phase
    start_s: Figure
    window_s: Seconds
    steps: Count
    loss: Figure | None
    accuracy: Figure
    short: bool = False


@dataclass(frozen=True, config=ConfigDict(extra="ignore", allow_inf_nan=False))
class WindowColumns:
    """The windows of a trial in order, as one tuple for each field of `Window`, all equally long.

    A run holds them by the million: columns are checked and kept at a fraction of what objects cost, and tuples of
    plain values, unlike lists, at no cost to the garbage collector.
    """

    phase: tuple[Phase, ...] = ()
    start_s: tuple[Annotated[Figure, Strict()], ...] = ()
    window_s: tuple[Annotated[Seconds, Strict()], ...] = ()
    steps: tuple[Annotated[Count, Strict()], ...] = ()
    loss: tuple[Annotated[Figure, Strict()] | None, ...] = ()
    accuracy: tuple[Annotated[Figure, Strict()], ...] = ()
    short: tuple[Annotated[bool, Strict()], ...] = ()

    @model_validator(mode="after")
    def _equally_long(self) -> Self:
        lengths = {name: len(getattr(self, name)) for name in _COLUMNS}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of unequal lengths: {lengths}")
        return self

    @classmethod
    def of(cls, windows: Iterable[Window]) -> Self:
        """The columns of some windows."""
        rows = list(windows)
        return cls(**{name: tuple(getattr(row, name) for row in rows) for name in _COLUMNS})

    def __len__(self) -> int:
        return len(self.phase)

    def __iter__(self) -> Iterator[Window]:
        for values in zip(*(getattr(self, name) for name in _COLUMNS), strict=True):
            yield Window(**dict(zip(_COLUMNS, values, strict=True)))


_COLUMNS = tuple(column.name for column in fields(WindowColumns))
_LIST: TypeAdapter[list[Window]] = TypeAdapter(list[Window])


def _columns(value: object) -> object:
    """A list of windows, live ones or those of a file of schema version 1, as columns."""
    return WindowColumns.of(_LIST.validate_python(value)) if isinstance(value, list) else value


_OF_ANY_VERSION = BeforeValidator(_columns, json_schema_input_type=WindowColumns | list[Window])


class EpochRecord(StoredModel):
    """One whole epoch: training figures while it ran, test figures after it, seconds of each.

    `evaluate_start_s` is on the clock of the windows' `start_s`; older files do not have it.
    """

    epoch: int
    train_loss: Figure | None
    train_accuracy: Figure
    test_loss: Figure | None
    test_accuracy: Figure
    train_s: Figure
    evaluate_s: Figure
    evaluate_start_s: Figure | None = None


def _with_as_is(one: dict[str, float]) -> dict[str, float]:
    if AS_IS not in one:
        raise ValueError(f"a round of a diagnosis without {AS_IS!r}")
    return one


class HarnessCost(StoredModel):
    """What the harness took while the trial's windows ran, from the first step to the last window.

    CPU seconds of this process and of the watchdog (None where not told), in `span_s` seconds on `cpus` CPUs; and the
    bytes of the conversation.
    """

    span_s: Seconds
    cpus: Count
    parent_cpu_s: Figure
    watchdog_cpu_s: Figure | None
    exchanged_bytes: Count

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
    """So many all-reduces of so many float32 over the replicas of a trial, one after the other, nothing else.

    All in one dispatch, or `dispatched` one by one.
    """

    elements: Count
    calls: Count
    dispatched: bool = False
    window_s: Seconds


class ComputingWindow(StoredModel):
    """Steps of all replicas at once, none of which waited for another's gradient."""

    steps: Count
    window_s: Seconds


class TrialRecord(StoredModel):
    """One trial as it went. None means not measured; `reason` says why a figure is missing or a trial failed.

    The conditions were read before the worker was told to prepare and when it had told `worker_cpu_s`, the CPU seconds
    of all its threads from its start on: after its last word, or as its diagnosis began. Host memory is the worker's:
    its peak when TensorFlow and Keras were imported and nothing else done, its peak while it trained, and its PSS when
    that was taken. `hosts` are the parts of hosts that are not the parent's, of which the conditions are then rank 0's.
    `diagnosis` holds the whole rounds of one: seconds per step of the trial as it is and of each probe.
    """

    trial: Trial
    status: Status
    reason: str | None = None
    stopped_by: StoppedBy | None = None
    started_utc: str | None = None
    host: str | None = None
    pid: int | None = None
    versions: dict[str, str] | None = None
    workload: Workload | None = None
    effective: EffectiveSettings | None = None
    build: dict[str, str] | None = None
    import_s: Figure | None = None
    build_s: Figure | None = None
    first_step_s: Figure | None = None
    train_images: Count | None = None
    training_flops_per_image: Count | None = None
    training_bytes_per_image: Count | None = None
    windows: Annotated[WindowColumns, _OF_ANY_VERSION] = WindowColumns()
    epochs: list[EpochRecord] = []
    import_host_memory_bytes: Count | None = None
    peak_host_memory_bytes: Count | None = None
    pss_host_memory_bytes: Count | None = None
    peak_device_memory_bytes: Count | None = None
    worker_cpu_s: Seconds | None = None
    harness: HarnessCost | None = None
    diagnosis: DiagnosisRounds | None = None
    collectives: list[CollectiveWindow] | None = None
    computing: list[ComputingWindow] | None = None
    conditions_before: Conditions | None = None
    conditions_after: Conditions | None = None
    hosts: dict[str, HostPart] = {}
    wall_s: Figure | None = None
    log: str | None = None
    telemetry: str | None = None


class Ceilings(StoredModel):
    """What one exact unit can do with one TensorFlow; `spoilers` are what was found to disturb the measurement."""

    exact_unit: str
    usable_cpus: Count
    tensorflow: str
    measured_utc: str
    spoilers: list[str] = []
    measured: list[CeilingsMeasured]


class RunRecord(StoredModel):
    """`run.json`: what was asked, of which code, on which machine; `max_batch` if the largest batches were searched."""

    schema_version: int = SCHEMA_VERSION
    suite: str
    description: str = ""
    created_utc: str
    trials: list[Trial]
    trial_budget_s: Figure | None
    run_budget_s: Figure | None
    target_accuracy: Annotated[float, Field(gt=0, le=1)] = TARGET_ACCURACY
    diagnose: bool = False
    max_batch: bool = False
    launched: dict[str, str] = {}
    data: str | None
    data_sha256: str
    environment: dict[str, Any]
    environment_after: dict[str, Any] | None = None
    ceilings: Ceilings | None = None
