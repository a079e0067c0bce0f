"""The second process of a large report."""

import os
import signal
import time

import pytest

from bench import beside as module
from bench.beside import beside, shared

linux_only = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


@linux_only
def test_result_comes_back_from_another_process():
    """What the task returns is there when it is asked for, made elsewhere."""
    result = beside(os.getpid)
    assert result() != os.getpid()


@linux_only
def test_what_the_task_raises_is_raised():
    """A disk that is full in the second process is a disk that is full, with the file's name."""

    def full():
        raise OSError(28, "No space left on device", "report/plots/memory.png")

    result = beside(full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        result()
    assert caught.value.filename == "report/plots/memory.png"


@linux_only
def test_killed_process_is_no_endless_wait():
    """A second process that the system kills is an error, at once."""
    result = beside(lambda: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(ChildProcessError, match="was killed"):
        result()


@linux_only
@pytest.mark.parametrize("many", [1, 1000])
def test_tasks_are_shared_and_their_results_in_order(monkeypatch, many):
    """In two processes or in one, each task is done once, and beside the own work another process does some."""
    monkeypatch.setattr(module, "MANY", many)
    own, pids = shared(os.getpid, [lambda: (time.sleep(0.1), os.getpid())[1]] * 8, of=range(10))
    assert own == os.getpid()
    assert len(set(pids)) == (2 if many == 1 else 1)
    assert shared(lambda: None, [lambda n=n: n * n for n in range(9)], of=range(10))[1] == [n * n for n in range(9)]


@linux_only
def test_a_task_that_fails_elsewhere_fails_here(monkeypatch):
    """The last one is begun by the second process."""
    monkeypatch.setattr(module, "MANY", 1)

    def broken():
        raise OSError(28, "No space left on device", "report/plots/memory.png")

    with pytest.raises(OSError, match="No space left on device"):
        shared(lambda: time.sleep(0.3), [os.getpid, broken], of=range(10))


@linux_only
def test_no_task_is_shared_without_any(monkeypatch):
    """A report may have no pictures."""
    monkeypatch.setattr(module, "MANY", 1)
    assert shared(lambda: "own", [], of=range(10)) == ("own", [])
