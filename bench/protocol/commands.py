"""What the parent says to a worker."""

from typing import Annotated, Literal

from pydantic import Field

from bench.protocol.message import Count, Message, Seconds
from bench.trial import Device, Precision, Role, Trial

Probe = Literal["fused", "step_resident", "resident", "communication"]
"""What a window may run beside the trial's own training, to find out what bounds it (bench.worker.probes)."""


class Prepare(Message):
    """Build the trial; `data` is the path of the data set on the worker's host, None the embedded copy.

    `gpus` are the UUIDs of those that it takes, of several ranks rank by rank; none leaves it to each worker to choose.
    """

    kind: Literal["prepare"] = "prepare"
    trial: Trial
    data: str | None = None
    gpus: list[str] = []
    place: "Place | None" = None


class Place(Message):
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


class MeasureCeilings(Message):
    """Measure what a device can do, `kernel_s` seconds for each figure; `threads` None leaves them to TensorFlow."""

    kind: Literal["measure_ceilings"] = "measure_ceilings"
    device: Device
    precisions: Annotated[list[Precision], Field(min_length=1)]
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None
    kernel_s: Seconds = 2.0


class Meet(Message):
    """Tell which of these addresses, each with its port, cannot be reached; meanwhile listen on the hello's."""

    kind: Literal["meet"] = "meet"
    others: list[str]
    seconds: Seconds = 10.0


class AskEnvironment(Message):
    """Tell what this host is; TensorFlow is not imported for it."""

    kind: Literal["ask_environment"] = "ask_environment"


class RunWindow(Message):
    """Train `steps` steps between two synchronised clock readings.

    `afresh`: without the batches that the input has piled up in a pause, which are thrown away first.
    """

    kind: Literal["window"] = "window"
    steps: Count
    afresh: bool = False


class Evaluate(Message):
    """Measure test loss and accuracy, off the clock of windows."""

    kind: Literal["evaluate"] = "evaluate"


class MeasureCollectives(Message):
    """Sum an array of `elements` float32 over all replicas, `calls` times, between two clock readings.

    All in one dispatch, or `dispatched` one by one, as the engine `step` dispatches its steps.
    """

    kind: Literal["measure_collectives"] = "measure_collectives"
    elements: Count
    calls: Count
    dispatched: bool = False


class MeasureComputing(Message):
    """Train `steps` steps without summing gradients over replicas, between two clock readings, then undo them.

    Before them come `run_in` untimed ones.
    """

    kind: Literal["measure_computing"] = "measure_computing"
    steps: Count
    run_in: Count


class BeginDiagnosis(Message):
    """Take the peaks of memory and save the training's state."""

    kind: Literal["begin_diagnosis"] = "begin_diagnosis"


class RunProbe(Message):
    """Run `steps` steps of a probe, within a diagnosis, between two synchronised clock readings."""

    kind: Literal["probe"] = "probe"
    probe: Probe
    steps: Count


class EndDiagnosis(Message):
    """Put the training's state back as it was; what the worker says on finishing is of no trial any more."""

    kind: Literal["end_diagnosis"] = "end_diagnosis"


class Finish(Message):
    """Report memory, then end."""

    kind: Literal["finish"] = "finish"


class AskState(Message):
    """Ask the watchdog how its worker is, which answers even while the worker cannot.

    And, where `others` are told, which of these addresses, each with its port, nobody answers at.
    """

    kind: Literal["ask_state"] = "ask_state"
    others: list[str] | None = None
    seconds: Seconds = 5.0


class LookFor(Message):
    """Tell the watchdog where its worker meets others: should the worker fail, it says which of them are unreached.

    It is told beforehand, for a worker that complains of others may end at once, and its watchdog with it.
    """

    kind: Literal["look_for"] = "look_for"
    others: list[str]
    seconds: Seconds = 5.0
