"""No worker outlives its parent, whoever is killed or stopped: told with the real watchdog and its real worker.

Before `prepare` the worker has imported no TensorFlow, so it is there in a second.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from bench.execute.session import LOCAL_WORKER, WorkerLost, WorkerSession
from bench.protocol.answers import Failed, Hello, Met, WorkerState
from bench.protocol.commands import AskState, LookFor, Meet, RunWindow
from bench.protocol.conversation import HELLO_TOKEN, AnyAnswer

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


def test_watchdog_terminated(tmp_path: Path, seconds_until_gone: Wait) -> None:
    """A watchdog told to end takes its worker along, even a stopped one, and tells how that ended."""
    session = WorkerSession(LOCAL_WORKER, tmp_path / "log")
    try:
        hello = session.hear(30)
        assert isinstance(hello, Hello)
        watchdog = psutil.Process(hello.pid).ppid()
        os.kill(hello.pid, signal.SIGSTOP)
        os.kill(watchdog, signal.SIGTERM)
        with pytest.raises(WorkerLost, match="killed by SIGKILL"):
            session.hear(10)
        seconds_until_gone(watchdog, hello.pid)
    finally:
        session.close()


@pytest.mark.slow
def test_parent_that_falls_silent(start_family: Callable[[], Family], seconds_until_gone: Wait) -> None:
    """With the pipe open but no ping for 8 s, as behind a dead connection, watchdog and worker go; not before."""
    pinging, silent, silent_and_stopped = start_family(), start_family(), start_family()
    os.kill(silent_and_stopped.worker, signal.SIGSTOP)
    for family in (silent, silent_and_stopped):
        family.parent.send_signal(signal.SIGSTOP)
    waited_s = seconds_until_gone(silent.watchdog, silent.worker)
    # the last ping came up to 2 s before the silence began
    assert waited_s > 5
    seconds_until_gone(silent_and_stopped.watchdog, silent_and_stopped.worker, at_most_s=12 - waited_s)
    # the eldest, so it would have gone first if pings did not count
    assert psutil.Process(pinging.worker).status() != psutil.STATUS_ZOMBIE
    assert psutil.Process(pinging.watchdog).status() != psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_watchdog_tells_that_it_heard_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parent that was stopped for a while hears why its worker is gone: not for want of memory."""
    monkeypatch.setattr(WorkerSession, "_ping", lambda _: None)
    session = WorkerSession(LOCAL_WORKER, tmp_path / "log")
    try:
        assert isinstance(session.hear(30), Hello)
        told = session.hear(20)
    finally:
        session.close()
    assert isinstance(told, Failed)
    assert told.reason == "nothing was heard from the parent for 8 s, so the watchdog ended the worker"


def test_command_longer_than_a_pipe(tmp_path: Path) -> None:
    """It is passed on in parts, while the worker reads; nothing of it is lost."""
    session = WorkerSession(LOCAL_WORKER, tmp_path / "log")
    try:
        assert isinstance(session.hear(30), Hello)
        session.say(Meet(others=[f"127.0.0.1:{1 + number}" for number in range(20_000)], seconds=0.001))
        assert isinstance(session.hear(60), Met)
    finally:
        session.close()


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


@linux_only
def test_what_the_worker_started_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds_until_gone: Wait
) -> None:
    """A child of a worker that has died, here one that Python starts on the side, does not live on."""
    (tmp_path / "sitecustomize.py").write_text(
        "import subprocess, sys\nif 'bench.worker.conversation' in sys.orig_argv:\n"
        "    subprocess.Popen(['sleep', '60'], stdin=subprocess.PIPE)\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
    session = WorkerSession(LOCAL_WORKER, tmp_path / "log")
    try:
        hello = session.hear(30)
        assert isinstance(hello, Hello)
        (child,) = psutil.Process(hello.pid).children()
        os.kill(hello.pid, signal.SIGKILL)
        seconds_until_gone(hello.pid, child.pid, at_most_s=5)
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


def test_worker_leaves_no_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's temporary folder is its own and goes with it: TensorFlow leaves files there when it is killed."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    session = WorkerSession(LOCAL_WORKER, tmp_path / "log")
    hello = session.hear(30)
    assert isinstance(hello, Hello)
    (scratch,) = (entry for entry in tmp_path.iterdir() if entry.is_dir())
    assert psutil.Process(hello.pid).environ()["TMPDIR"] == str(scratch)
    (scratch / "left.py").touch()
    session.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["log"]


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


def test_watchdog_of_a_worker_that_failed_tells_whom_it_reaches(tmp_path: Path) -> None:
    """Unasked, once the worker has said its last word: it was told whom to look for while all was well."""
    session = WorkerSession(LOCAL_WORKER, tmp_path / "worker.log")
    with socket.create_server(("127.0.0.1", 0)) as there, deaf() as nobody:
        others = [f"127.0.0.1:{one.getsockname()[1]}" for one in (there, nobody)]
        try:
            assert isinstance(session.hear(30), Hello)
            session.say(LookFor(others=others, seconds=1.0))
            session.say(RunWindow(steps=3))
            failed = session.hear(10)
            assert isinstance(failed, Failed)
            assert failed.reason == "TypeError: window before prepare"
            assert session.hear(10) == WorkerState(state="ended", unreached=others[1:])
            with pytest.raises(WorkerLost, match=r"^the worker ended with exit code 1$"):
                session.hear(10)
        finally:
            session.close()


@linux_only
def test_watchdog_of_a_stopped_worker_tells_whom_it_reaches(tmp_path: Path) -> None:
    """A port where somebody listens and one that is refused are reached; one where nobody takes a call is not."""
    session = WorkerSession(LOCAL_WORKER, tmp_path / "worker.log")
    with socket.create_server(("127.0.0.1", 0)) as there, socket.socket() as refusing, deaf() as nobody:
        refusing.bind(("127.0.0.1", 0))
        others = [f"127.0.0.1:{one.getsockname()[1]}" for one in (there, refusing, nobody)]
        try:
            hello = session.hear(30)
            assert isinstance(hello, Hello)
            os.kill(hello.pid, signal.SIGSTOP)
            assert state_once_stopped(session) == WorkerState(state="stopped")
            session.say(AskState(others=others, seconds=1.0))
            assert session.hear(10) == WorkerState(state="stopped", unreached=others[2:])
        finally:
            session.close()


def state_once_stopped(session: WorkerSession) -> AnyAnswer:
    """The watchdog's answer when the signal has arrived, or its last within 10 s."""
    deadline = time.monotonic() + 10
    while True:
        session.say(AskState())
        answer = session.hear(10)
        if answer != WorkerState(state="running") or time.monotonic() > deadline:
            return answer


@contextmanager
def deaf() -> Iterator[socket.socket]:
    """A port whose queue of callers is full: Linux lets further ones wait, as a cut cable does."""
    with socket.socket() as server, ExitStack() as callers:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(server.getsockname())
        yield server
