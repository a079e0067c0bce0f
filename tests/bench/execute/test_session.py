"""A session with real processes that behave badly: each tiny script stands in for a launcher."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.execute.session import NoAnswer, WorkerLost, WorkerSession
from bench.protocol.answers import Finished, Hello
from bench.protocol.commands import Finish
from bench.protocol.conversation import HELLO_TOKEN, LONGEST_LINE, PROTOCOL_VERSION

GREETING = Hello(protocol_version=PROTOCOL_VERSION, host="tiny", pid=12345, versions={}).model_dump_json()
HELLO = f"print({HELLO_TOKEN + GREETING!r}.replace('12345', str(os.getpid())), flush=True)\n"
ANSWER = Finished(peak_host_memory_bytes=1, peak_device_memory_bytes=None)
Start = Callable[[str], WorkerSession]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "trial.log"


@pytest.fixture
def start(log: Path) -> Iterator[Start]:
    """Starts a session with a Python script; closes it after the test."""
    sessions: list[WorkerSession] = []

    def start_script(script: str) -> WorkerSession:
        sessions.append(WorkerSession((sys.executable, "-I", "-c", "import os, signal, sys, time\n" + script), log))
        return sessions[-1]

    yield start_script
    for session in sessions:
        session.close()


def pid_of(session: WorkerSession) -> int:
    hello = session.hear(10)
    assert isinstance(hello, Hello)
    assert hello.host == "tiny"
    return hello.pid


def greeted(session: WorkerSession) -> WorkerSession:
    pid_of(session)
    return session


def lost(session: WorkerSession) -> str:
    with pytest.raises(WorkerLost) as caught:
        session.hear(10)
    return str(caught.value)


def test_noise_before_hello_is_ignored(start: Start) -> None:
    """A login shell's greeting, even one that is not text or has no end of line, does not hide the hello."""
    noise = "sys.stdout.buffer.write(b'Welcome!\\n{\"kind\": 1}\\n\\xff\\x00\\n$ '); sys.stdout.flush()\n"
    greeted(start(noise + HELLO + "sys.stdin.read()"))


def test_conversation(start: Start) -> None:
    """What is said reaches the worker's stdin as a JSON line, and its answer comes back."""
    session = greeted(
        start(
            HELLO + f"commands = (line for line in sys.stdin if line != 'ping\\n')\n"
            f'assert next(commands) == \'{{"kind":"finish"}}\\n\'\nprint({ANSWER.model_dump_json()!r}, flush=True)\n'
        )
    )
    session.say(Finish())
    assert session.hear(10) == ANSWER
    assert lost(session) == "the worker ended with exit code 0"


def test_pings_without_being_asked(start: Start) -> None:
    """A worker that is told nothing still hears a ping every two seconds."""
    session = greeted(start(HELLO + f"assert sys.stdin.readline() == 'ping\\n'\nprint({ANSWER.model_dump_json()!r})\n"))
    assert session.hear(4) == ANSWER


def test_stderr_goes_to_the_log(start: Start, log: Path) -> None:
    """What the worker prints to stderr is in the log and nowhere else."""
    session = greeted(start("sys.stderr.write('a warning\\n')\n" + HELLO))
    lost(session)
    assert log.read_text() == "a warning\n"


def test_flood_of_stderr_does_not_block(start: Start, log: Path) -> None:
    """Ten megabytes of warnings before an answer delay nothing: nobody has to drain them."""
    flood = "for _ in range(10): sys.stderr.write('w' * 1_000_000)\n"
    session = greeted(start(HELLO + flood + f"print({ANSWER.model_dump_json()!r}, flush=True)\nsys.stdin.read()"))
    assert session.hear(10) == ANSWER
    assert log.stat().st_size == 10_000_000


@pytest.mark.parametrize(
    ("garbage", "told"),
    [
        ("print('hello?')", "Expecting value"),
        ("print('[' * 100_000)", "recursion"),
        ("""print('{"kind": "surprise"}')""", "surprise"),
        ("""print('{"kind": "finished", "peak_host_memory_bytes": "much"}')""", "peak_host_memory_bytes"),
        ("sys.stdout.buffer.write(b'\\xff\\xfe\\xff\\n')", "Expecting value"),
        (f"print('1' * {LONGEST_LINE + 1000})", "digits"),
    ],
    ids=["word", "deep", "unknown", "type", "bytes", "long"],
)
def test_garbage_after_hello(start: Start, garbage: str, told: str) -> None:
    """A line that is no answer loses the worker, with one line that says what was wrong with it."""
    reason = lost(greeted(start(HELLO + garbage + "\nsys.stdout.flush()\nsys.stdin.read()")))
    assert reason.startswith("the worker's answer is not of the protocol: ")
    assert told in reason
    assert "\n" not in reason
    assert len(reason) < 1200


def test_line_without_end_is_not_waited_for(start: Start) -> None:
    """A worker that never ends its line is lost once the line is longer than any answer."""
    session = greeted(start(HELLO + f"sys.stdout.write('x' * {LONGEST_LINE}); sys.stdout.flush(); sys.stdin.read()"))
    assert "not of the protocol" in lost(session)


def test_deadline(start: Start) -> None:
    """No answer in time is told as such, and a later one is still heard."""
    session = greeted(start(HELLO + f"time.sleep(0.5); print({ANSWER.model_dump_json()!r}, flush=True)"))
    with pytest.raises(NoAnswer, match="no answer within 0 s"):
        session.hear(0.1)
    assert session.hear(10) == ANSWER


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("sys.exit(3)", "the worker ended with exit code 3"),
        (
            "os.kill(os.getpid(), signal.SIGKILL)",
            "the worker was killed by SIGKILL; the kernel does that when memory runs out",
        ),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "the worker was killed by SIGSEGV"),
        (f"sys.exit({128 + signal.SIGABRT})", "the worker was killed by SIGABRT"),
        ("sys.exit(255)", "the worker ended with exit code 255; ssh ends so when it has lost its host"),
    ],
)
def test_epitaph(start: Start, end: str, told: str) -> None:
    """How a worker ended is told by its signal's name, also where a shell made an exit code of it."""
    assert lost(greeted(start(HELLO + end))) == told


def test_worker_that_never_says_hello(start: Start) -> None:
    """One that ends before hello is lost at once, whatever else it said."""
    assert lost(start("print('command not found'); sys.exit(127)")) == "the worker ended with exit code 127"


def test_closing_ends_a_worker_that_reads(start: Start, seconds_until_gone: Callable[..., float]) -> None:
    """A worker that ends with its stdin is gone when close returns, without being killed."""
    session = start(HELLO + "sys.stdin.read()")
    pid = pid_of(session)
    began = time.monotonic()
    session.close()
    assert time.monotonic() - began < 4
    seconds_until_gone(pid, at_most_s=0.1)


@pytest.mark.slow
def test_closing_ends_a_worker_that_ignores_everything(start: Start, seconds_until_gone: Callable[..., float]) -> None:
    """One deaf to stdin, SIGTERM and SIGINT is killed with its children, and gone when close returns."""
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    child = "child = os.fork()\nif child == 0: time.sleep(60)\n"
    answer = 'print(\'{"kind":"finished","peak_host_memory_bytes":%d,"peak_device_memory_bytes":null}\' % child)\n'
    session = greeted(start(deaf + HELLO + child + answer + "sys.stdout.flush()\ntime.sleep(60)"))
    told = session.hear(10)
    assert isinstance(told, Finished)
    assert told.peak_host_memory_bytes is not None
    began = time.monotonic()
    session.close()
    assert time.monotonic() - began < 8
    seconds_until_gone(told.peak_host_memory_bytes, at_most_s=1)


def test_closing_does_not_wait_for_who_keeps_the_pipe(start: Start) -> None:
    """A stray grandchild in a session of its own may hold stdout for ever; closing returns all the same."""
    stray = "if os.fork() == 0:\n    os.setsid(); time.sleep(10); os._exit(0)\n"
    session = greeted(start(HELLO + stray))
    began = time.monotonic()
    session.close()
    assert time.monotonic() - began < 5


def test_interrupt_key_is_for_the_parent(start: Start) -> None:
    """The worker is in a process group of its own, so that Ctrl-C in the terminal does not reach it."""
    pid = pid_of(start(HELLO + "sys.stdin.read()"))
    assert os.getpgid(pid) == pid != os.getpgid(0)


def test_saying_to_a_dead_worker(start: Start) -> None:
    """A command to a worker that has gone raises nothing; that it has gone is heard."""
    session = start("sys.exit(1)")
    assert lost(session) == "the worker ended with exit code 1"
    for _ in range(3):
        session.say(Finish())


def test_native_code_that_ends_itself_for_want_of_memory(start: Start, log: Path) -> None:
    """It can but write that down: out of memory is the status, unless an earlier attempt wrote it."""
    abort = "os.abort()"
    log.write_text("terminate called after throwing an instance of 'std::bad_alloc'\n")
    statuses = []
    for said in ("", "sys.stderr.write('what():  std::bad_alloc\\n'); sys.stderr.flush(); "):
        session = greeted(start(HELLO + said + abort))
        with pytest.raises(WorkerLost) as caught:
            session.hear(10)
        statuses.append((caught.value.status, str(caught.value)))
    assert statuses == [
        ("error", "the worker was killed by SIGABRT"),
        ("oom", "the worker was killed by SIGABRT after 'std::bad_alloc'"),
    ]
