"""One side of a pair of processes: its workers live until it is closed, and run a window when asked for one."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.execute.conductor import Conductor, outcome_of
from bench.execute.limits import Limits
from bench.execute.session import Session
from bench.execute.windows import Ended, Listener, Wanted, Windows
from bench.host import Conditions
from bench.measure.stopping import TURNS_PER_WINDOW, WINDOWS_PER_BUFFER
from bench.measure.workload import PACKAGE
from bench.protocol.answers import Workload
from bench.protocol.commands import Prepare
from bench.store.record import TrialRecord
from bench.trial import Status, Trial

if TYPE_CHECKING:
    from bench.protocol.effective import EffectiveSettings

NOT_BEGUN: tuple[Status, str | None] = "skipped", "the other side failed before this one began"
TURN_STEPS = 4
"""At least, in a window of two that take turns: a single step would measure a dispatch with it, and be blind to what
slows but one step in a few."""


@dataclass(frozen=True)
class Start:
    """How a side begins: what starts its workers, its trial, and what they are told."""

    launch: Callable[[], Session]
    trial: Trial
    prepare: Prepare
    workload_sha256: str
    log: str | None = None
    data_sha256: str | None = None


class LiveSide:
    """A side whose workers live: it begins, runs windows when asked for one, and ends."""

    def __init__(
        self,
        start: Start,
        limits: Limits,
        listener: Listener,
        clock: Callable[[], float],
        conditions: Callable[[], Conditions] | None = None,
        *,
        last: bool = False,
    ):
        self._last = last
        self.start, self._clock, self._began = start, clock, clock()
        self._session = start.launch()
        self._windows = Windows(self._session, limits, listener, clock)
        self._windows.afresh = True
        # without any: one reading of the machine serves the pair
        read = conditions or (lambda: Conditions(clock_s=clock()))
        self._conductor = Conductor(
            self._session, start.trial, limits, self._windows, clock, read, data_sha256=start.data_sha256
        )
        self._run_in = self.steps = 1
        """Steps that follow a pause, and those of a window."""
        self._effective: EffectiveSettings | None = None
        self._told = False
        self.outcome = NOT_BEGUN

    @property
    def failed(self) -> bool:
        """Whether it ended before its time."""
        return self.outcome[0] not in {"ok", "skipped"}

    @property
    def ok(self) -> bool:
        """Whether it has begun and can go on."""
        return self.outcome[0] == "ok"

    @property
    def step_s(self) -> list[float]:
        """Seconds per step in each window so far."""
        return [window.window_s / window.steps for window in self._windows.timed]

    def tell(self) -> None:
        """Have its workers import and build, without waiting for them."""
        self._try(lambda: self._conductor.tell(self.start.prepare))
        self._told = self.ok
        if self._told:
            self.outcome = NOT_BEGUN

    def ready(self) -> None:
        """Hear that the first step is done; told first if it was not."""
        if not self._told and not self.failed:
            self.tell()
        if self._told:
            self._try(self._ready)

    def settle(self) -> None:
        """Run in until the steps of a window are known, once it is ready."""
        if self.ok:
            self._try(self._settle)

    def window(self, *, paused: bool) -> None:
        """Run one window, after a run-in where the side was `paused`."""
        self._try(lambda: self._window(paused=paused))

    def end(self) -> None:
        """Hear what it took."""
        if self.ok:
            self._try(self._conductor.end)

    def record(self) -> TrialRecord:
        """The side as it went."""
        return self._conductor.record(*self.outcome, wall_s=self._clock() - self._began, log=self.start.log)

    def close(self) -> None:
        """End its workers, whatever state they are in."""
        self._session.close()

    def _ready(self) -> None:
        self._effective = self._conductor.readied().effective
        if wrong := other_code(self._conductor.found["workload"], self.start.workload_sha256):
            raise Ended("invalid", wrong)
        self._run_in = self._effective.run_in_steps

    def _settle(self) -> None:
        assert self._effective
        self.steps = self._windows.calibrate(self._effective.buffered_batches, None)

    @property
    def turn_steps(self) -> int:
        """Steps of a window beside the other side's: fewer than usual, but what a pause piles up asks for at least.

        On GPUs, whose queue every window drains, and over several workers, which meet before each, as many as usual:
        what short ones do to those has not been measured.
        """
        cell = self.start.trial.cell
        if self._effective is None or cell.kind == "gpu" or len(cell.roles) > 1:
            return self.steps
        short = math.ceil(self.steps / TURNS_PER_WINDOW)
        return min(self.steps, max(short, TURN_STEPS, WINDOWS_PER_BUFFER * self._effective.buffered_batches))

    def _window(self, *, paused: bool) -> None:
        run_in: list[Wanted] = [("run_in", self._run_in, False)] if paused else []
        self._windows.run([*run_in, ("window", self.steps, False)])

    def _try(self, action: Callable[[], None]) -> None:
        self.outcome = outcome_of(self._conductor, action, last=self._last)


def other_code(workload: Workload | None, sha256: str) -> str | None:
    """Why a worker's `mnist_cnn` is not that of its side, or None where it is."""
    if workload is not None and workload.sha256 == sha256:
        return None
    imported = f"imported {workload.folder}" if workload else "did not tell what it imported"
    return f"the worker {imported}, which is not the {PACKAGE} of this side"
