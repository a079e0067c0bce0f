"""Sessions with live workers, clean and faulty, and what is measured on them outside the trials' own conversation."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.execute.diagnosis import Rounds
from bench.execute.limits import Limits
from bench.execute.session import Session, WorkerSession
from bench.execute.windows import expect
from bench.protocol.answers import Finished, Hello, Ready, WindowDone
from bench.protocol.commands import Prepare, RunWindow
from bench.trial import Cell, Trial

Name = TypeVar("Name")
LIMITS = Limits()
FAULTY_WORKER = Path(__file__).with_name("faulty_worker.py")


def command(kind: str = "none", amount: float | Path = 0) -> list[str]:
    """What starts a worker with a fault, whose size is given or stands in a file."""
    return [sys.executable, "-P", str(FAULTY_WORKER), kind, str(amount)]


class Side:
    """A worker that is ready to train a cell, window by window."""

    def __init__(self, session: Session, cell: Cell):
        self.session, self.cell = session, cell
        self.pid = expect(session, Hello, LIMITS.hello_s).pid
        session.say(Prepare(trial=Trial(cell=cell)))
        self.ready = expect(session, Ready, LIMITS.ready_s)
        self.run_in_steps = self.ready.effective.buffered_batches + 1

    def window(self, steps: int, *, afresh: bool = False) -> WindowDone:
        """Train so many steps, timed by the worker; `afresh` without what a pause piled up."""
        self.session.say(RunWindow(steps=steps, afresh=afresh))
        return expect(self.session, WindowDone, LIMITS.answer_s)

    def step_s(self, steps: int) -> float:
        """Seconds per step of one uninterrupted window, after a run-in."""
        self.window(self.run_in_steps, afresh=True)
        return self.window(steps).window_s / steps

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Its process does nothing at all within the block."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def told_so_far(self) -> Finished:
        """Hear what the trial took, while the worker lives on."""
        return Rounds(self.session, LIMITS, steps=1, run_in=1).begin()


@dataclass(frozen=True)
class Start:
    """What a side is to train, and the fault of its worker."""

    cell: Cell
    kind: str = "none"
    amount: float = 0


@contextmanager
def worker(scratch: Path, cell: Cell, kind: str = "none", amount: float | Path = 0) -> Iterator[Side]:
    """A side whose worker is gone when the block ends."""
    with closing(WorkerSession(command(kind, amount), scratch / "worker.log")) as session:
        yield Side(session, cell)


@contextmanager
def workers(scratch: Path, starts: Mapping[Name, Start]) -> Iterator[dict[Name, Side]]:
    """Sides that live at once; all start before the first is waited for."""
    with ExitStack() as stack:
        sessions = {
            name: stack.enter_context(
                closing(WorkerSession(command(start.kind, start.amount), scratch / f"worker-{number}.log"))
            )
            for number, (name, start) in enumerate(starts.items())
        }
        yield {name: Side(session, starts[name].cell) for name, session in sessions.items()}
