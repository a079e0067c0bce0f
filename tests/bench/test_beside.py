"""The second process of a large report."""

import multiprocessing
import os
import signal
import time
from functools import partial

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


@pytest.fixture
def in_two(monkeypatch):
    """Everything is worth a second process, whatever threads a test before has left."""
    monkeypatch.setattr(module, "worth_it", lambda _: True)


@linux_only
def test_tasks_are_shared_and_their_results_in_order(in_two, tmp_path):
    """Each is done once, some here and some in another process, while the own work is done here."""

    def task(number):
        time.sleep(0.1)
        with (tmp_path / "done").open("a") as stream:
            stream.write(f"{number} ")
        return number, os.getpid()

    own, results = shared(os.getpid, [partial(task, number) for number in range(8)], of=())
    assert own == os.getpid()
    assert [number for number, _ in results] == list(range(8))
    assert sorted((tmp_path / "done").read_text().split()) == [str(number) for number in range(8)]
    assert len({pid for _, pid in results}) == 2


def test_little_is_done_here_alone():
    """A second process for a few trials would take longer than they do."""
    assert shared(lambda: "own", [os.getpid] * 3, of=range(3)) == ("own", [os.getpid()] * 3)


@linux_only
def test_a_task_that_fails_elsewhere_fails_here(in_two):
    """The second process begins with the first one."""

    def broken():
        raise OSError(28, "No space left on device", "report/plots/memory.png")

    with pytest.raises(OSError, match="No space left on device"):
        shared(lambda: time.sleep(0.3), [broken, os.getpid], of=())


@linux_only
def test_own_work_that_fails_leaves_nobody_at_work(in_two, tmp_path):
    """The second process ends what it has begun, and has ended when the failure is told."""

    def task(number):
        time.sleep(0.3)
        (tmp_path / str(number)).touch()

    def broken():
        time.sleep(0.1)
        raise OSError(28, "No space left on device", "report/trials.csv")

    with pytest.raises(OSError, match="No space left on device"):
        shared(broken, [partial(task, number) for number in range(5)], of=())
    assert [path.name for path in tmp_path.iterdir()] == ["0"]
    assert multiprocessing.active_children() == []


@linux_only
def test_no_task_is_shared_without_any(in_two):
    """A report may have no pictures."""
    assert shared(lambda: "own", [], of=()) == ("own", [])
