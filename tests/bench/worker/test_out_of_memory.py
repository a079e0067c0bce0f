"""Memory that really runs out, in processes that may have only a little of it."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from bench.execute.conduct import conduct
from bench.execute.limits import Limits
from bench.execute.session import LOCAL_WORKER, WorkerSession
from bench.protocol.answers import Failed
from bench.protocol.conversation import ANSWERS
from bench.store.windows import Window
from bench.trial import Cell, Trial

MIB = 2**20
TWO_GPUS = """count 2
0.name NVIDIA A100
0.memory 1073741824
0.memory_total 5368709120
1.name NVIDIA A100
1.memory 4294967296
1.memory_total 5368709120
"""
MEMORY_OF_CGROUP_V1 = Path("/sys/fs/cgroup/memory")
WATCHDOG_IN_CGROUP = """
import os, sys
from pathlib import Path
Path(sys.argv[1], "cgroup.procs").write_text(str(os.getpid()))
from bench.worker.watchdog import main
main(["-c", sys.argv[2]])
"""


class Nobody:
    """Listens to nothing."""

    def window(self, window: Window) -> None: ...


@pytest.mark.slow
def test_tensorflow_that_is_refused_a_tensor(
    little_memory: Callable[[int], None], small_data: Path, tmp_path: Path
) -> None:
    """A step of 2,000 images needs tensors of 191 MiB each: the row says so, and that there was less."""
    little_memory(200)
    session = WorkerSession(LOCAL_WORKER, tmp_path / "log")
    trial = Trial(cell=Cell(global_batch=2000, epochs=0, cpu_threads=1, onednn="off"))  # oneDNN crashes
    record = conduct(session, trial, limits=Limits(), listener=Nobody(), data=str(small_data))
    assert record.status == "oom", record.reason
    told = re.fullmatch(
        r"global batch 2,000: out of memory: asked for (\d+) MiB \(a tensor float\[2000,[\d,]+\]\); "
        r"(\d+) MiB of the host's memory free after that",
        record.reason or "",
    )
    assert told, record.reason
    asked, free = map(int, told.groups())
    assert asked in {191, 165, 142, 48, 40, 35}, "2,000 images of some layer"
    assert free < 200


@pytest.mark.slow
def test_the_driver_tells_what_is_free(play: Callable[[str], float]) -> None:
    """The least of the GPUs of a trial, in the order of CUDA; None where there is none."""
    play(TWO_GPUS)
    code = "from bench.worker.devices import free_device_memory_bytes as free; print(free(1), free(2), free(0))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["4294967296", "1073741824", "None"]


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A cgroup of 100 MiB, where this process may make one."""
    folder = MEMORY_OF_CGROUP_V1 / f"bench-test-{uuid4().hex}"
    try:
        folder.mkdir()
        (folder / "memory.limit_in_bytes").write_text(str(100 * MIB))
    except OSError as error:
        pytest.skip(f"no memory cgroup can be made here: {error}")
    yield folder
    folder.rmdir()


def last_word(cgroup: Path, worker: str) -> tuple[str, int]:
    """What a watchdog whose worker is a script says, and its exit code, both within a cgroup."""
    command = [sys.executable, "-c", WATCHDOG_IN_CGROUP, str(cgroup), worker]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    process.communicate()
    return said, process.returncode


def test_worker_that_the_kernel_kills_for_want_of_memory(cgroup: Path) -> None:
    """Its watchdog tells, where the kernel counted the kill in their cgroup."""
    said, code = last_word(cgroup, "x = bytearray(200 * 2**20); x[::4096] = bytes(len(x[::4096]))")
    failed = ANSWERS.validate_json(said)
    assert isinstance(failed, Failed)
    assert (failed.status, code) == ("oom", 137)
    assert failed.reason == "the kernel killed the worker, since the memory of its cgroup ran out"


def test_worker_that_somebody_kills(cgroup: Path) -> None:
    """A SIGKILL alone proves nothing: the watchdog says nothing, and the exit code tells the rest."""
    assert last_word(cgroup, "import os; os.kill(os.getpid(), 9)") == ("", 137)
