"""The parent's handle on one live trial: a launcher's process, its answers, its pings, its end."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from pydantic import ValidationError

from bench.errors import first_fault, one_line
from bench.protocol.conversation import ANSWERS, HELLO_TOKEN, LONGEST_LINE, AnyAnswer, AnyCommand
from bench.protocol.pings import PING_EVERY_S
from bench.trial import Status

_GOODBYE_S = 5.0
_SSH_FAILS = 255
"""What ssh exits with for a fault of its own (ssh(1), EXIT STATUS); no worker does."""
_LAST_WORDS = 65_536
_NO_MEMORY = re.compile(r"std::bad_alloc|OOM when allocating|CUDA_ERROR_OUT_OF_MEMORY|Cannot allocate memory")


def worker_command(python: str = sys.executable, network: str | None = None) -> list[str]:
    """What starts a worker on its host; `network` is where the address must be that it tells the other ranks."""
    chosen = [f"--network={network}"] if network else []
    return [python, "-P", "-m", "bench.worker", *chosen]  # -P: a folder called bench in the way is not ours


LOCAL_WORKER = tuple(worker_command())


class WorkerLost(Exception):  # noqa: N818  # reads as what happened
    """The worker ended, or spoke nonsense, before its last word; `status` is what its trial ends with."""

    def __init__(self, reason: str, status: Status = "error"):
        super().__init__(reason)
        self.status = status


class NoAnswer(Exception):  # noqa: N818  # likewise
    """The worker let a deadline pass."""


class Session(Protocol):
    """What a conversation needs; tests speak it without a process. `exchanged_bytes` counts both ways."""

    @property
    def exchanged_bytes(self) -> int:
        """Bytes said and heard so far."""

    def say(self, command: AnyCommand) -> None:
        """Send a command."""

    def hear(self, timeout_s: float) -> AnyAnswer:
        """Wait for the next answer; raises NoAnswer after `timeout_s`, WorkerLost when there will be none."""

    def close(self) -> None:
        """End the worker, whatever state it is in; when this returns nothing of it is left."""


def close_all(sessions: Iterable[Session]) -> None:
    """End every worker; all begin to end before the first is waited for."""
    closing = [threading.Thread(target=session.close) for session in sessions]
    for one in closing:
        one.start()
    for one in closing:
        one.join()


class NotStarted:
    """The session of workers that could not be started: the first word that is waited for says why."""

    exchanged_bytes = 0

    def __init__(self, reason: str):
        self._reason = reason

    def say(self, command: AnyCommand) -> None:
        """Nobody hears it."""

    def hear(self, timeout_s: float) -> AnyAnswer:  # noqa: ARG002  # nothing is waited for
        """Raises WorkerLost."""
        raise WorkerLost(self._reason)

    def close(self) -> None:
        """Nothing of it is left."""


class WorkerSession:
    """A session with the process that `command` starts; its stderr goes to the file `log`.

    Raises WorkerLost where there are no more processes, files or threads to have.
    """

    def __init__(self, command: Sequence[str], log: Path):
        self._log = log
        try:
            self._process = self._start(command)
        except OSError as error:
            raise WorkerLost(f"could not be started: {error}") from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin: IO[bytes] = self._process.stdin
        self._stdout: IO[bytes] = self._process.stdout
        self._answers: queue.SimpleQueue[AnyAnswer | WorkerLost] = queue.SimpleQueue()
        self._writing = threading.Lock()
        self._closed = threading.Event()
        self._said_bytes = self._heard_bytes = 0  # each counted by one thread, or under the lock
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._pinger = threading.Thread(target=self._ping, daemon=True)
        try:
            for thread in (self._reader, self._pinger):
                thread.start()
        except RuntimeError as error:
            self.close()
            raise WorkerLost(f"could not be started: {error}") from None

    def _start(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as stderr:
            self._log_begins = stderr.tell()  # a trial that is executed again has an old part
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,  # Ctrl-C is for the parent, which then ends the worker in order
            )

    @property
    def exchanged_bytes(self) -> int:
        """Bytes said, pings included, and heard so far."""
        return self._said_bytes + self._heard_bytes

    def say(self, command: AnyCommand) -> None:
        """Send a command; a worker that has gone is noticed on hearing."""
        self._write(command.model_dump_json().encode())

    def hear(self, timeout_s: float) -> AnyAnswer:
        """Wait for the next answer."""
        try:
            answer = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            raise NoAnswer(f"no answer within {timeout_s:.0f} s") from None
        if isinstance(answer, WorkerLost):
            raise answer
        return answer

    def close(self) -> None:
        """Close stdin, which makes the watchdog end its worker, and kill what is left after 5 s."""
        self._closed.set()
        with suppress(OSError), self._writing:
            self._stdin.close()
        try:
            self._process.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for thread in (self._reader, self._pinger):
            if thread.ident:  # it has begun
                thread.join(1)
        if not self._reader.is_alive():  # closing under a reader waits for it, and a stray child may hold the pipe
            self._stdout.close()

    def _write(self, line: bytes) -> None:
        with suppress(OSError, ValueError), self._writing:
            self._said_bytes += self._stdin.write(line + b"\n")
            self._stdin.flush()

    def _ping(self) -> None:
        while not self._closed.wait(PING_EVERY_S):
            self._write(b"ping")

    def _read(self) -> None:
        """Turn lines into answers until the pipe ends; before the hello token any noise is allowed."""
        try:
            for line in _lines_from_hello(self._stdout):
                self._heard_bytes += len(line)
                self._answers.put(ANSWERS.validate_python(json.loads(line)))
        except ValidationError as error:
            self._answers.put(WorkerLost(f"the worker's answer is not of the protocol: {first_fault(error)}"))
        except (ValueError, RecursionError) as error:
            self._answers.put(WorkerLost(f"the worker's answer is not of the protocol: {error}"))
        self._answers.put(self._epitaph())

    def _epitaph(self) -> WorkerLost:
        """How the process ended, as far as it has."""
        try:
            code = self._process.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            return WorkerLost("the worker closed its answers without ending")
        code = 128 - code if code < 0 else code
        if code > 128:
            with suppress(ValueError):
                name = signal.Signals(code - 128).name
                if name == "SIGABRT" and (last_words := self._out_of_memory()):
                    return WorkerLost(f"the worker was killed by {name} after {last_words!r}", "oom")
                hint = "; the kernel does that when memory runs out" if name == "SIGKILL" else ""
                return WorkerLost(f"the worker was killed by {name}{hint}")
        reason = f"the worker ended with exit code {code}"
        if self._heard_bytes:
            return WorkerLost(reason + "; ssh ends so when it has lost its host" * (code == _SSH_FAILS))
        last = self._last_line()  # a launcher's, or of a Python without the package
        return WorkerLost(f"{reason}{last and f': {last}'}")

    def _last_line(self) -> str:
        lines = self._last_words().strip().splitlines()
        return one_line(lines[-1].strip())[:300] if lines else ""

    def _out_of_memory(self) -> str | None:
        """What a worker that ended itself wrote of memory; native code has no other way to tell."""
        found = _NO_MEMORY.search(self._last_words())
        return found[0] if found else None

    def _last_words(self) -> str:
        """The end of what this worker wrote to its log."""
        with suppress(OSError), self._log.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_begins, end - _LAST_WORDS))
            return log.read().decode(errors="replace")
        return ""


def _lines_from_hello(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines of the protocol: from the hello token on, read at most LONGEST_LINE bytes at a time."""
    token, greeted = HELLO_TOKEN.encode(), False
    while line := stream.readline(LONGEST_LINE):
        if greeted:
            yield line
        elif token in line:
            greeted = True
            yield line.split(token, 1)[1]
