"""A tiny process without TensorFlow that owns the launcher's stdin and lets no worker outlive its parent.

It passes commands on to the worker, keeps the parent's pings to itself, and kills the worker's process
group when stdin ends, when it hears nothing for 8 s, or when it is told to terminate itself. The worker may
be stopped, hung inside TensorFlow or lost behind a dead connection: none of that stops the watchdog. It has a
word of its own where it is asked how the worker is, where it can prove that the kernel killed the worker for want of
memory, and where the worker failed and others that it met are not reached any more. It reads and writes the messages
of `bench.protocol` as bare JSON: importing those before each worker starts would take longer than all else here.
"""

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn

from bench.measure.cgroups import oom_kills
from bench.protocol.pings import SILENCE_KILLS_AFTER_S
from bench.worker.network import unreached

PING = b"ping"
_ASK_STATE = b'{"kind":"ask_state"'
_LOOK_FOR = b'{"kind":"look_for"'
_MAY_BE_OF_OTHERS = {1, -signal.SIGABRT}
"""How a worker ends that says that it failed, and one that TensorFlow's coordination service ends."""


class Others(NamedTuple):
    """Of `AskState` and `LookFor`: addresses to try, None for none, and how long."""

    addresses: list[str] | None
    seconds: float


def main(worker_command: Sequence[str] = ("-m", "bench.worker.conversation")) -> NoReturn:
    """Run the worker until it ends or has to be ended; exit with its code, 128 + n for signal n."""
    die_with_parent()
    scratch, kills_before = Path(tempfile.mkdtemp(prefix="bench-worker-")), oom_kills()
    worker = subprocess.Popen(
        [sys.executable, "-P", *worker_command],
        stdin=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(scratch)},  # a killed TensorFlow does not tidy up after itself
    )
    assert worker.stdin is not None
    commands = worker.stdin.fileno()
    # a stopped worker must never make the watchdog wait
    os.set_blocking(commands, False)
    signal.signal(signal.SIGTERM, lambda *_: kill_group(worker.pid))
    met: list[Others] = []
    threading.Thread(target=_exit_with, args=(worker, scratch, kills_before, met), daemon=True).start()
    try:
        if _forward(sys.stdin.fileno(), commands, worker.pid, met) == "silence":
            _say_why()
    finally:
        kill_group(worker.pid)
        _leave(worker, scratch)


def _forward(source: int, commands: int, worker: int, met: list[Others]) -> Literal["end", "silence"]:
    """Pass whole lines on until end of file or silence; what is for the watchdog stays, in `met` whom to look for."""
    pending, unsent, heard = b"", b"", time.monotonic()
    while (left := heard + SILENCE_KILLS_AFTER_S - time.monotonic()) > 0:
        readable, writable, _ = select.select([source], [commands] if unsent else [], [], left)
        if writable:  # for a part of a line longer than the pipe
            try:
                unsent = unsent[os.write(commands, unsent) :]
            except BrokenPipeError:  # the worker has ended, of which there may still be something to say
                unsent = b""
        if not readable:
            continue
        chunk = os.read(source, 65536)
        if not chunk:
            return "end"
        heard = time.monotonic()
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            if line.startswith(_ASK_STATE):
                _answer(_others(line), worker)
            elif line.startswith(_LOOK_FOR):
                met.append(_others(line))
            elif line != PING:
                unsent += line + b"\n"
    return "silence"


def _others(line: bytes) -> Others:
    said = json.loads(line)
    return Others(said["others"], said["seconds"])


def _say(**words: object) -> None:
    os.write(sys.stdout.fileno(), json.dumps(words).encode() + b"\n")


def _answer(asked: Others, worker: int) -> None:
    """Say how the worker is; whom it reaches, from a thread: who does not answer is waited for."""
    if not asked.addresses:
        _say_state(state_of(worker), asked.addresses)
        return
    try:
        threading.Thread(target=_say_reach, args=(worker, asked.addresses, asked.seconds), daemon=True).start()
    except RuntimeError:  # no thread can be started: nothing is known of the others, so nobody is told to be cut off
        _say_state(state_of(worker), [])


def _say_reach(worker: int, others: list[str], seconds: float) -> None:
    missed = _missed(others, seconds)
    _say_state(state_of(worker), missed)


def _missed(others: list[str], seconds: float) -> list[str]:
    with suppress(RuntimeError):  # likewise
        return list(unreached(others, seconds, cut_only=True))
    return []


def _say_state(state: Literal["running", "stopped", "ended"], missed: list[str] | None) -> None:
    _say(kind="worker_state", state=state, unreached=missed)


def _say_why() -> None:
    """Tell a parent that may hear it again, as one that was stopped does; one that does not read is not waited for."""
    os.set_blocking(sys.stdout.fileno(), False)
    silence = f"nothing was heard from the parent for {SILENCE_KILLS_AFTER_S:g} s"
    with suppress(OSError):
        _say(kind="failed", status="error", reason=f"{silence}, so the watchdog ended the worker")


def state_of(pid: int) -> Literal["running", "stopped", "ended"]:
    """Of a process, as Linux tells it (proc(5), /proc/<pid>/stat); elsewhere it is taken to run."""
    try:
        letter = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "running" if sys.platform != "linux" else "ended"
    return "stopped" if letter in "Tt" else "ended" if letter in "ZX" else "running"


def _exit_with(
    worker: "subprocess.Popen[bytes]", scratch: Path, kills_before: int | None, met: Sequence[Others]
) -> NoReturn:
    """End this process as the worker ends, once all is said that its end makes known."""
    code = worker.wait()
    try:
        if code == -signal.SIGKILL and kills_before is not None and (oom_kills() or 0) > kills_before:
            # the count is of this host and cgroup, so it is told from here; nothing but this proves who killed
            reason = "the kernel killed the worker, since the memory of its cgroup ran out"
            _say(kind="failed", status="oom", reason=reason)
        elif code in _MAY_BE_OF_OTHERS:
            for one in met:
                _say_state("ended", _missed(one.addresses or [], one.seconds))
    finally:
        _leave(worker, scratch)


def _leave(worker: "subprocess.Popen[bytes]", scratch: Path) -> NoReturn:
    """End this process as the worker ends, after what the worker itself had started or left behind."""
    code = worker.wait()
    kill_group(worker.pid)
    shutil.rmtree(scratch, ignore_errors=True)
    os._exit(code if code >= 0 else 128 - code)


def kill_group(process_group: int) -> None:
    """SIGKILL a process group that may already be gone."""
    try:
        os.killpg(process_group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def watchdog_cpu_s() -> float | None:
    """CPU seconds so far of the process above this one, told to the worker under a watchdog; None where unknown.

    Source: Linux, Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat: nanoseconds on a CPU, per task.
    """
    try:
        tasks = Path(f"/proc/{os.getppid()}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    except (OSError, ValueError, IndexError):
        return None


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, which works even while this one is stopped.

    Elsewhere the watchdog's silence rule alone has to do. Source: prctl(2), PR_SET_PDEATHSIG.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:  # it died in between
        os.kill(os.getpid(), signal.SIGKILL)
