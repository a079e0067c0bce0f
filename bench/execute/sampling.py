"""The parent's hand on a sampler: a process beside a trial that writes what its GPUs do to the run's telemetry/."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from bench.protocol import PING_EVERY_S
from bench.trial import Trial

LOCAL_SAMPLER = (sys.executable, "-P", "-m", "bench.worker", "--sample")
_GOODBYE_S = 5.0
_LAST_READING_S = 0.3
"""Three readings: energy is known up to the end of a window only where one was taken after it."""


def sample_here(trial: Trial, uuids: Sequence[str], path: Path, log: Path) -> AbstractContextManager[bool]:
    """Sample the GPUs that a trial on this host takes; where they are not known, keep that."""
    if trial.cell.kind == "cpu":
        return nullcontext(enter_result=False)
    if uuids:
        return sampling(LOCAL_SAMPLER, uuids, path, log)
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"gpus": [], "reason": "NVML does not tell which GPUs the trial takes"}) + "\n")
    return nullcontext(enter_result=True)


@contextmanager
def sampling(command: Sequence[str], uuids: Sequence[str], path: Path, log: Path) -> Iterator[bool]:
    """Have a sampler write to `path` while the block runs. Says that there is something to be read, or why not.

    Its output goes to the file without passing through this process, whose time belongs to the trial.
    """
    try:
        process = _started([*command, *uuids], path, log)
    except OSError:  # a full disk, no more processes: the trial goes on, and its row says that nothing was kept
        yield True
        return
    ended = threading.Event()
    pinger = threading.Thread(target=_ping, args=(process, ended), daemon=True)
    pinger.start()
    try:
        yield True
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LAST_READING_S)
    finally:
        ended.set()
        _end(process)
        pinger.join(1)


def _started(words: Sequence[str], path: Path, log: Path) -> "subprocess.Popen[bytes]":
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as samples, log.open("ab") as errors:
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=samples, stderr=errors, start_new_session=True)


def _ping(process: "subprocess.Popen[bytes]", ended: threading.Event) -> None:
    """Tell its watchdog that somebody still listens."""
    assert process.stdin is not None
    while not ended.wait(PING_EVERY_S):
        with suppress(OSError, ValueError):
            process.stdin.write(b"ping\n")
            process.stdin.flush()


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Close its stdin, which makes the watchdog end it, and kill what is left after 5 s."""
    assert process.stdin is not None
    with suppress(OSError):
        process.stdin.close()
    try:
        process.wait(_GOODBYE_S)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
