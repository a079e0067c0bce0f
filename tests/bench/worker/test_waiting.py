"""A worker that nobody asks for anything, as each side of a live comparison is in the other's turn."""

import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from bench.execute.launchers import Launcher
from bench.execute.limits import Limits
from bench.execute.windows import expect
from bench.protocol.answers import Hello, Ready, WindowDone
from bench.protocol.commands import Prepare, RunWindow
from bench.trial import Cell, Trial
from mnist_cnn.settings import Input

WAITS_S = 2.0


@pytest.mark.slow
@pytest.mark.parametrize("source", ["real", "resident"])
def test_a_worker_that_waits_takes_no_cpu(tmp_path: Path, source: Input) -> None:
    """Between windows it blocks, whatever its input: a thread that spins would take all of a CPU."""
    trial, limits = Trial(cell=Cell(engine="fused", input=source, global_batch=64, epochs=0)), Limits()
    with closing(Launcher()(trial, tmp_path / "worker.log")) as session:
        worker = psutil.Process(expect(session, Hello, limits.hello_s).pid)
        session.say(Prepare(trial=trial))
        expect(session, Ready, limits.ready_s)
        session.say(RunWindow(steps=20))
        expect(session, WindowDone, limits.answer_s)
        time.sleep(1.0)  # the input fills what it buffers
        before = sum(worker.cpu_times()[:2])
        time.sleep(WAITS_S)
        assert sum(worker.cpu_times()[:2]) - before < 0.05 * WAITS_S
