"""Memory of two real workers, one of which keeps an allocation of a known size."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.execute.session import LOCAL_WORKER, WorkerSession
from bench.protocol.answers import Finished, Hello, Ready, WindowDone
from bench.protocol.commands import Finish, Prepare, RunWindow
from bench.protocol.conversation import AnyAnswer, AnyCommand
from bench.trial import Cell, Trial

MIB = 2**20
# Python imports it at every start, so that the worker and the way to start it stay as they are
SITE = """
import os
import numpy
import mnist_cnn.dataset as dataset

load, kept = dataset.load_dataset, []

def plant(path=None):
    kept.append(numpy.ones(int(os.environ["PLANTED_MIB"]) * 2**20, numpy.uint8))
    return load(path)

dataset.load_dataset = plant
"""


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[WorkerSession]]:
    """Two workers at the same time, the second of which keeps 200 MiB more from before it has its data.

    Libraries' pages are shared with whatever else runs and dropped when memory is short: side by side, that is the
    same for both.
    """
    (tmp_path / "sitecustomize.py").write_text(SITE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]]))
    started: list[WorkerSession] = []
    for planted_mib in (0, 200):
        monkeypatch.setenv("PLANTED_MIB", str(planted_mib))
        started.append(WorkerSession(LOCAL_WORKER, tmp_path / f"{planted_mib}.log"))
    yield started
    for session in started:
        session.close()


def both(workers: list[WorkerSession], command: AnyCommand) -> list[AnyAnswer]:
    """The answers of both to one command, given to both before either has answered."""
    for worker in workers:
        worker.say(command)
    return [worker.hear(240) for worker in workers]


@pytest.mark.slow
def test_a_planted_allocation_shows_with_its_size(workers: list[WorkerSession], small_data: Path) -> None:
    """200 MiB kept from before the first window raise peak and PSS by 200 ± 10 MiB, and not what the import took."""
    assert all(isinstance(worker.hear(60), Hello) for worker in workers)
    # on a busy machine peaks of equal workers differ by up to 12 MiB with TensorFlow's own kernels, by 0.5 with these
    trial = Trial(cell=Cell(epochs=0, global_batch=50, cpu_threads=1, onednn="on"))
    assert all(isinstance(ready, Ready) for ready in both(workers, Prepare(trial=trial, data=str(small_data))))
    for _ in range(4):
        assert all(isinstance(done, WindowDone) for done in both(workers, RunWindow(steps=20)))
    plain, planted = both(workers, Finish())
    assert isinstance(plain, Finished)
    assert isinstance(planted, Finished)
    import_, peak, pss = (
        (getattr(planted, name) - getattr(plain, name)) / MIB
        for name in ("import_host_memory_bytes", "peak_host_memory_bytes", "pss_host_memory_bytes")
    )
    assert abs(import_) <= 10
    assert abs(peak - 200) <= 10
    assert abs(pss - 200) <= 10
