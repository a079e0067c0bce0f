"""A worker that speaks the real protocol without a process, on a clock that moves only when it works."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from bench.execute.conduct import conduct
from bench.execute.limits import Limits
from bench.execute.session import NoAnswer
from bench.host import Conditions
from bench.protocol.answers import (
    CollectivesMeasured,
    ComputingMeasured,
    DiagnosisBegun,
    DiagnosisEnded,
    Evaluated,
    Finished,
    Hello,
    ProbeDone,
    Ready,
    WindowDone,
    Workload,
)
from bench.protocol.commands import (
    BeginDiagnosis,
    EndDiagnosis,
    Evaluate,
    Finish,
    MeasureCollectives,
    MeasureComputing,
    Prepare,
    Probe,
    RunProbe,
    RunWindow,
)
from bench.protocol.conversation import PROTOCOL_VERSION, AnyAnswer, AnyCommand
from bench.protocol.effective import EffectiveSettings
from bench.store.record import TrialRecord
from bench.store.windows import Window
from bench.trial import Cell, Trial

DEFAULT_EFFECTIVE = EffectiveSettings(
    strategy="_DefaultDistributionStrategy",
    replicas=1,
    devices=["/device:CPU:0"],
    variable_dtype="float32",
    compute_dtype="float32",
    xla=False,
    xla_scope="none",
    tf32=False,
    loss_scaling=False,
    cross_device_ops=None,
    optimizer="RMSprop",
    intra_op_threads=2,
    inter_op_threads=2,
    shards=1,
    onednn=True,
    parameters=257_162,
    buffered_batches=2,
)


MESSAGE_BYTES = 100
LATENCY_S, BYTE_S, DISPATCH_S = 1e-3, 1e-8, 3e-3
"""Of an all-reduce: what it takes however small it is, for each byte, and where it is dispatched for itself."""
COMPUTING_SHARE = 0.75
"""Of a step: what it takes where no replica waits for another."""


class Clock:
    """Tells the time it was given."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeWorker:
    """Answers commands in order, taking `step_s` seconds of the clock for each step.

    `faults` replaces the answer of a number (0 is hello, 1 ready, then a window or an evaluation each) by
    another answer, or raises it; `hangs_at` is the number of the answer that never comes. `probe_step_s` are the
    probes that it offers, with the seconds of their steps. `under_way` are the steps that a window of a number, from 1
    on, leaves to the next, which an evaluation waits for. Every message but the hello is 100 bytes long.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        train_images: int = 60_000,
        step_s: float | Callable[[int], float] = 1 / 64,
        first_step_s: float = 2.0,
        evaluate_s: float = 1.0,
        buffered_batches: int = 2,
        effective: Mapping[str, Any] | None = None,
        faults: Mapping[int, AnyAnswer | BaseException] | None = None,
        hangs_at: int | None = None,
        probe_step_s: Mapping[Probe, float] | None = None,
        close_raises: BaseException | None = None,
        data_sha256: str | None = None,
        under_way: Callable[[int], int] = lambda _: 0,
    ):
        self.clock, self.train_images, self.first_step_s, self.evaluate_s = (
            clock,
            train_images,
            first_step_s,
            evaluate_s,
        )
        self.step_s = step_s if callable(step_s) else lambda _: step_s
        changes = {"buffered_batches": buffered_batches} | dict(effective or {})
        self.effective = DEFAULT_EFFECTIVE.model_copy(update=changes)
        self.faults, self.hangs_at, self.close_raises = dict(faults or {}), hangs_at, close_raises
        self.probe_step_s = dict(probe_step_s or {})
        self.data_sha256 = data_sha256
        self.under_way, self.left_over = under_way, 0
        self.inbox: deque[AnyCommand] = deque()
        self.said: list[AnyCommand] = []
        self.queued_behind: list[int] = []
        """For every window heard: how many commands were waiting behind it."""
        self.epochs: list[list[int]] = [[]]
        """Steps of every window, first step included, between evaluations."""
        self.diagnosed: list[tuple[Probe | None, int]] = []
        """Of every window within a diagnosis: the probe, None for the trial as it is, and the steps."""
        self._diagnosing = False
        self.answers = 0
        self.workload: Workload | None = None
        self.exchanged_bytes = 0
        self.closed = 0

    @property
    def accuracy(self) -> float:
        """Of the test images, whenever it is asked."""
        return 0.97

    def say(self, command: AnyCommand) -> None:
        self.exchanged_bytes += MESSAGE_BYTES
        self.said.append(command)
        self.inbox.append(command)

    def hear(self, timeout_s: float) -> AnyAnswer:
        number, self.answers = self.answers, self.answers + 1
        if number == self.hangs_at or (number > 0 and not self.inbox):
            self.clock.now += timeout_s
            raise NoAnswer(f"no answer within {timeout_s:.0f} s")
        answer = self._hello() if number == 0 else self._answer(self.inbox.popleft(), timeout_s)
        fault = self.faults.get(number, answer)
        if isinstance(fault, BaseException):
            raise fault
        self.exchanged_bytes += MESSAGE_BYTES * (number > 0)
        return fault

    def close(self) -> None:
        self.closed += 1
        if self.close_raises:
            raise self.close_raises

    def _hello(self) -> Hello:
        return Hello(
            protocol_version=PROTOCOL_VERSION, host="fake", pid=7, versions={"numpy": "2.4"}, workload=self.workload
        )

    def _answer(self, command: AnyCommand, timeout_s: float) -> AnyAnswer:
        if isinstance(command, Prepare):
            return self._ready(command.trial.cell)
        if isinstance(command, RunWindow):
            return self._window(command.steps, timeout_s)
        if isinstance(command, Evaluate):
            start_s = self.clock.now
            self.clock.now += self.evaluate_s
            self.left_over = 0
            self.epochs.append([])
            return Evaluated(start_s=start_s, evaluate_s=self.evaluate_s, loss=0.1, accuracy=self.accuracy)
        if isinstance(command, MeasureCollectives | MeasureComputing | RunProbe):
            return self._beside(command)
        if isinstance(command, BeginDiagnosis | EndDiagnosis):
            self._diagnosing = isinstance(command, BeginDiagnosis)
            begun = DiagnosisBegun(probes=list(self.probe_step_s), so_far=self._finished(2**30))
            return begun if self._diagnosing else DiagnosisEnded()
        assert isinstance(command, Finish)
        return self._finished(2**30 if not self.diagnosed else 2**33)

    def _beside(self, command: MeasureCollectives | MeasureComputing | RunProbe) -> AnyAnswer:
        """What takes time without training."""
        if isinstance(command, RunProbe):
            return self._probe(command.probe, command.steps)
        if isinstance(command, MeasureComputing):
            step_s = COMPUTING_SHARE * self.step_s(len(self.queued_behind))
            window_s = command.steps * step_s
            self.clock.now += command.run_in * step_s + window_s
            return ComputingMeasured(steps=command.steps, window_s=window_s)
        call_s = LATENCY_S + BYTE_S * 4 * command.elements + DISPATCH_S * command.dispatched
        self.clock.now += command.calls * call_s
        return CollectivesMeasured(**command.model_dump(exclude={"kind"}), window_s=command.calls * call_s)

    def _finished(self, peak: int) -> Finished:
        """What it took; a diagnosis takes a lot of memory."""
        memory: dict[str, Any] = {"peak_host_memory_bytes": peak, "peak_device_memory_bytes": None}
        return Finished(**memory, worker_cpu_s=1.5, watchdog_cpu_s=0.25)

    def _ready(self, cell: Cell) -> Ready:
        batch = self.effective.global_batch or cell.global_batch
        self.effective = self.effective.model_copy(update={"global_batch": batch})
        start_s = self.clock.now
        self.clock.now += self.first_step_s
        self.epochs[-1].append(1)
        return Ready(
            effective=self.effective,
            build={"is_cuda_build": "False"},
            import_s=3.0,
            build_s=0.5,
            first_step_s=self.first_step_s,
            first_step_start_s=start_s,
            train_images=self.train_images,
            data_sha256=self.data_sha256,
            training_flops_per_image=1000,
            loss=2.3,
            accuracy=0.1,
        )

    def _window(self, steps: int, timeout_s: float) -> WindowDone:
        self.queued_behind.append(len(self.inbox))
        start_s, window_s = self.clock.now, steps * self.step_s(len(self.queued_behind))
        if window_s > timeout_s:
            self.clock.now += timeout_s
            raise NoAnswer(f"no answer within {timeout_s:.0f} s")
        self.clock.now += window_s
        if self._diagnosing:
            self.diagnosed.append((None, steps))
        else:
            self.epochs[-1].append(steps)
        left_over, self.left_over = self.left_over, self.under_way(len(self.queued_behind))
        told = max(steps + left_over - self.left_over, 1)
        return WindowDone(start_s=start_s, window_s=window_s, steps=told, loss=0.5, accuracy=0.9)

    def _probe(self, probe: Probe, steps: int) -> ProbeDone:
        assert self._diagnosing, "a probe is run within a diagnosis"
        window_s = steps * self.probe_step_s[probe]
        self.clock.now += window_s
        self.diagnosed.append((probe, steps))
        return ProbeDone(probe=probe, steps=steps, window_s=window_s)


class Heard:
    """Listens to windows."""

    def __init__(self) -> None:
        self.windows: list[Window] = []

    def window(self, window: Window) -> None:
        self.windows.append(window)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fake_worker(clock: Clock) -> Callable[..., FakeWorker]:
    """Makes a worker on the test's clock."""
    return lambda **settings: FakeWorker(clock, **settings)


@pytest.fixture
def lead(clock: Clock) -> Callable[..., TrialRecord]:
    """Leads one trial of a cell over a fake worker; checks what must hold however the trial ends."""

    def lead_to_the_end(
        worker: FakeWorker,
        *,
        budget_s: float | None = None,
        diagnosis_s: float | None = None,
        target: float = 0.03,
        communication: bool = True,
        **settings: Any,
    ) -> TrialRecord:
        heard, began, kept = Heard(), clock.now, list[tuple[TrialRecord, int]]()
        record = conduct(
            worker,
            Trial(cell=Cell(**settings)),
            limits=Limits(budget_s=budget_s, diagnosis_s=diagnosis_s, target=target, communication=communication),
            listener=heard,
            keep=lambda record: kept.append((record, worker.closed)),
            clock=clock,
            conditions=lambda: Conditions(clock_s=clock.now),
        )
        assert kept == [(record, 0)], "the record is kept once, before the session is closed"
        assert worker.closed == 1, "the session is closed once"
        assert heard.windows == list(record.windows), "the listener hears of every window that is recorded"
        assert record.wall_s == clock.now - began
        return record

    return lead_to_the_end
