"""The conversation of a trial: JSON lines, commands to the worker and answers from it.

The parent sends `prepare`, then any number of `window` and `evaluate`, then `finish`; the worker answers
`hello` (unasked), `ready`, `window_done`, `evaluated`, `finished`, or `failed` at any time. Between
`begin_diagnosis` (`diagnosis_begun`) and `end_diagnosis` (`diagnosis_ended`) it may also send `probe`
(`probe_done`). With the windows over it may send `measure_collectives` (`collectives_measured`) and
`measure_computing` (`computing_measured`) to a trial of several replicas. Where a coordinator leads them, the other
ranks answer `serving` to `prepare`, and after that only `finish`. `ping` is for the watchdog in between and is never
answered; `ask_state` it answers itself (`worker_state`), and, told to `look_for` others, it says as much unasked once
the worker has failed. Told `measure_ceilings` or `ask_environment` instead of `prepare`, a worker answers
`ceilings_measured` or `environment_read` and ends; before `ask_environment` it may be told `meet` (`met`). Times are
seconds of the worker host's CLOCK_MONOTONIC.
"""

from typing import Annotated

from pydantic import Field, TypeAdapter

from bench.protocol.answers import (
    CeilingsMeasured,
    CollectivesMeasured,
    ComputingMeasured,
    DiagnosisBegun,
    DiagnosisEnded,
    EnvironmentRead,
    Evaluated,
    Failed,
    Finished,
    Hello,
    Met,
    ProbeDone,
    Ready,
    Serving,
    WindowDone,
    WorkerState,
)
from bench.protocol.commands import (
    AskEnvironment,
    AskState,
    BeginDiagnosis,
    EndDiagnosis,
    Evaluate,
    Finish,
    LookFor,
    MeasureCeilings,
    MeasureCollectives,
    MeasureComputing,
    Meet,
    Prepare,
    RunProbe,
    RunWindow,
)

PROTOCOL_VERSION = 11
HELLO_TOKEN = "bench-worker-hello "  # noqa: S105  # not a secret: marks where noise ends and the protocol begins
LONGEST_LINE = 1_000_000

AnyMeasurement = MeasureCollectives | MeasureComputing
AnyTrialCommand = RunWindow | Evaluate | AnyMeasurement | BeginDiagnosis | RunProbe | EndDiagnosis | Finish
AnyCommand = Prepare | MeasureCeilings | Meet | AskEnvironment | AnyTrialCommand | AskState | LookFor
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
AnyAnswer = Hello | Met | EnvironmentRead | AnyTrialAnswer | CeilingsMeasured | WorkerState | Failed
COMMANDS: TypeAdapter[AnyCommand] = TypeAdapter(Annotated[AnyCommand, Field(discriminator="kind")])
ANSWERS: TypeAdapter[AnyAnswer] = TypeAdapter(Annotated[AnyAnswer, Field(discriminator="kind")])
