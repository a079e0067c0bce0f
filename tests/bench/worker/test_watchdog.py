"""No worker outlives its parent, whoever is killed or stopped: told with the real watchdog and its real worker.

Before `prepare` the worker has imported no TensorFlow, so it is there in a second.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from bench.execute.session import LOCAL_WORKER, WorkerLost, WorkerSession
from bench.protocol import HELLO_TOKEN, Hello

Wait = Callable[..., float]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is a call of Linux")

PARENT = """
import sys, time
from pathlib import Path
from bench.execute.session import LOCAL_WORKER, WorkerSession
session = WorkerSession(LOCAL_WORKER, Path(sys.argv[1]))
print(session.hear(30).pid, flush=True)
time.sleep(120)
"""


@dataclass
class Family:
    """A parent with a live session, the watchdog it started and the worker under that."""

    parent: "subprocess.Popen[str]"
    watchdog: int
    worker: int


@pytest.fixture
def start_family(tmp_path: Path) -> Iterator[Callable[[], Family]]:
    """Starts families; ends with the test what is left of them."""
    families: list[Family] = []

    def start() -> Family:
        command = [sys.executable, "-c", PARENT, str(tmp_path / f"{len(families)}.log")]
        parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        families.append(Family(parent, psutil.Process(worker).ppid(), worker))
        return families[-1]

    yield start
    for family in families:
        for pid in (family.parent.pid, family.watchdog, family.worker):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        family.parent.communicate()


def test_watchdog_is_between_parent_and_worker(start_family: Callable[[], Family]) -> None:
    """The parent started the watchdog and that the worker, each in a process group of its own."""
    family = start_family()
    assert psutil.Process(family.watchdog).ppid() == family.parent.pid
    groups = {os.getpgid(pid) for pid in (family.parent.pid, family.watchdog, family.worker)}
    assert len(groups) == 3


def test_parent_killed(start_family: Callable[[], Family], seconds_until_gone: Wait) -> None:
    """SIGKILL to the parent leaves neither watchdog nor worker."""
    family = start_family()
    family.parent.kill()
    seconds_until_gone(family.watchdog, family.worker)


def test_parent_killed_while_the_worker_is_stopped(
    start_family: Callable[[], Family], seconds_until_gone: Wait
) -> None:
    """A worker that can do nothing itself goes as well."""
    family = start_family()
    os.kill(family.worker, signal.SIGSTOP)
    family.parent.kill()
    seconds_until_gone(family.watchdog, family.worker)


@linux_only
def test_parent_killed_while_the_watchdog_is_stopped(
    start_family: Callable[[], Family], seconds_until_gone: Wait
) -> None:
    """Even a watchdog that cannot act goes, because Linux kills it, and its worker with it."""
    family = start_family()
    os.kill(family.watchdog, signal.SIGSTOP)
    family.parent.kill()
    seconds_until_gone(family.watchdog, family.worker)


@linux_only
def test_watchdog_killed(start_family: Callable[[], Family], seconds_until_gone: Wait) -> None:
    """A worker without its watchdog goes."""
    family = start_family()
    os.kill(family.watchdog, signal.SIGKILL)
    seconds_until_gone(family.worker)


def test_watchdog_terminated(start_family: Callable[[], Family], seconds_until_gone: Wait) -> None:
    """A watchdog told to end takes its worker along, even a stopped one."""
    family = start_family()
    os.kill(family.worker, signal.SIGSTOP)
    os.kill(family.watchdog, signal.SIGTERM)
    seconds_until_gone(family.watchdog, family.worker)


@pytest.mark.slow
def test_parent_that_falls_silent(start_family: Callable[[], Family], seconds_until_gone: Wait) -> None:
    """With the pipe open but no ping for 8 s, as behind a dead connection, watchdog and worker go; not before."""
    silent, silent_and_stopped, pinging = start_family(), start_family(), start_family()
    os.kill(silent_and_stopped.worker, signal.SIGSTOP)
    for family in (silent, silent_and_stopped):
        family.parent.send_signal(signal.SIGSTOP)
    waited_s = seconds_until_gone(silent.watchdog, silent.worker)
    # the last ping came up to 2 s before the silence began
    assert waited_s > 5
    seconds_until_gone(silent_and_stopped.watchdog, silent_and_stopped.worker, at_most_s=12 - waited_s)
    assert psutil.Process(pinging.worker).is_running()
    assert psutil.Process(pinging.watchdog).is_running()


def test_end_of_stdin(seconds_until_gone: Wait) -> None:
    """Closing the launcher's stdin ends both, and the answers with them."""
    with subprocess.Popen(LOCAL_WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as watchdog:
        assert watchdog.stdin is not None
        assert watchdog.stdout is not None
        line = watchdog.stdout.readline().decode()
        hello = Hello.model_validate_json(line.removeprefix(HELLO_TOKEN))
        watchdog.stdin.close()
        seconds_until_gone(watchdog.pid, hello.pid, at_most_s=5)
        assert watchdog.stdout.read() == b""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGABRT])
def test_worker_killed(tmp_path: Path, seconds_until_gone: Wait, sent: signal.Signals) -> None:
    """The parent hears at once how its worker ended, through the watchdog's own exit code."""
    session = WorkerSession(LOCAL_WORKER, tmp_path / "log")
    try:
        hello = session.hear(30)
        assert isinstance(hello, Hello)
        os.kill(hello.pid, sent)
        began = time.monotonic()
        with pytest.raises(WorkerLost, match=f"killed by {sent.name}"):
            session.hear(10)
        assert time.monotonic() - began < 3
    finally:
        session.close()


def test_close_leaves_nothing(tmp_path: Path, seconds_until_gone: Wait) -> None:
    """When a session is closed, the worker is gone even if it was stopped."""
    session = WorkerSession(LOCAL_WORKER, tmp_path / "log")
    hello = session.hear(30)
    assert isinstance(hello, Hello)
    os.kill(hello.pid, signal.SIGSTOP)
    session.close()
    seconds_until_gone(hello.pid, at_most_s=0.5)


def test_hello_comes_before_tensorflow(tmp_path: Path) -> None:
    """The worker greets with the versions of what is installed and has no TensorFlow module loaded yet."""
    script = "import sys, bench.worker.watchdog, bench.worker.conversation\nprint('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    session = WorkerSession(LOCAL_WORKER, tmp_path / "log")
    try:
        hello = session.hear(30)
        assert isinstance(hello, Hello)
        assert {"python", "numpy"} <= set(hello.versions)
        maps = Path(f"/proc/{hello.pid}/maps")
        if maps.exists():
            assert "tensorflow" not in maps.read_text()
    finally:
        session.close()


@pytest.mark.parametrize(
    ("words", "told"), [('{"kind": "window", "steps": 3}', "window before prepare"), ("nonsense", "Expecting value")]
)
def test_words_that_are_no_command(tmp_path: Path, words: str, told: str) -> None:
    """A worker told nonsense, or to train before `prepare`, says that it failed, and why."""
    with (
        (tmp_path / "log").open("w+") as log,
        subprocess.Popen(
            LOCAL_WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as watchdog,
    ):
        assert watchdog.stdin is not None
        assert watchdog.stdout is not None
        watchdog.stdin.write(words + "\n")
        watchdog.stdin.flush()
        hello, failed = watchdog.stdout.read().splitlines()
        assert watchdog.wait(5) == 1
        assert "Traceback" in (tmp_path / "log").read_text()
    assert hello.startswith(HELLO_TOKEN)
    answer = json.loads(failed)
    assert (answer["kind"], answer["status"]) == ("failed", "error")
    assert told in answer["reason"]
