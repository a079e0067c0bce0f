"""The parent's hand on samplers: a process beside a trial on each of its hosts that writes what the GPUs there do."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.execute.launchers import Launcher
from bench.plan.support import Machine
from bench.protocol.pings import PING_EVERY_S
from bench.trial import Trial

_GOODBYE_S = 5.0
_LAST_READING_S = 0.3
"""Three readings: energy is known up to the end of a window only where one was taken after it."""


@dataclass(frozen=True)
class Sampling:
    """Samples the GPUs that a trial takes, through the launcher of its workers, on each of its hosts."""

    launcher: Launcher
    machine: Machine

    def __call__(self, trial: Trial, uuids: Sequence[str], path: Path, log: Path) -> AbstractContextManager[bool]:
        """Samples of rank 0's host go to `path`, those of another beside it; where GPUs are not known, keep that."""
        if trial.cell.kind == "cpu":
            return nullcontext(enter_result=False)
        if uuids:
            return sampling(self._samplers(trial, uuids, path), log)
        with suppress(OSError):
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps({"gpus": [], "reason": "NVML does not tell which GPUs the trial takes"}) + "\n")
        return nullcontext(enter_result=True)

    def _samplers(self, trial: Trial, uuids: Sequence[str], path: Path) -> Iterator["Words"]:
        each = trial.cell.replicas_per_worker
        for _, ranks in self.machine.shares(trial.cell.workers):
            own = [uuid for rank in ranks for uuid in uuids[rank * each : (rank + 1) * each]]
            beside = path if ranks[0] == 0 else path.with_name(f"{path.stem}-rank{ranks[0]}{path.suffix}")
            yield self.launcher.command_line(ranks[0], ["--sample", *own]), beside


Words = tuple[Sequence[str], Path]
"""The command line of a sampler, and the file for what it says."""


@contextmanager
def sampling(samplers: Iterable[Words], log: Path) -> Iterator[bool]:
    """Have samplers write to their files while the block runs. Says that there is something to be read, or why not.

    Their output goes to the files without passing through this process, whose time belongs to the trial.
    """
    processes: list[subprocess.Popen[bytes]] = []
    ended = threading.Event()
    try:
        for words, path in samplers:
            with suppress(OSError):  # a full disk, no more processes: the row says that nothing was kept
                processes.append(_started(words, path, log))
        pinger = threading.Thread(target=_ping, args=(processes, ended), daemon=True)
        pinger.start()
        yield True
        deadline = time.monotonic() + _LAST_READING_S
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
    finally:
        ended.set()
        ending = [threading.Thread(target=_end, args=(process,)) for process in processes]
        for one in ending:
            one.start()
        for one in ending:
            one.join()


def _started(words: Sequence[str], path: Path, log: Path) -> "subprocess.Popen[bytes]":
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as samples, log.open("ab") as errors:
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=samples, stderr=errors, start_new_session=True)


def _ping(processes: "Sequence[subprocess.Popen[bytes]]", ended: threading.Event) -> None:
    """Tell their watchdogs that somebody still listens."""
    while not ended.wait(PING_EVERY_S):
        for process in processes:
            assert process.stdin is not None
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
