"""How a worker is started: a command prefix whose stdin and stdout reach it, here or on another host."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from bench.errors import UsageError
from bench.execute.ranks import Ranks
from bench.execute.session import LOCAL_WORKER, Session, WorkerSession
from bench.trial import Trial

LAUNCHERS = {
    "local": "{command}",
    "ssh": "ssh -o BatchMode=yes -o ServerAliveInterval=5 {host} {quoted}",
    "slurm": "srun --overlap --exact -N1 -n1 -w {host} --unbuffered {command}",
    "kubectl": "kubectl exec -i {host} -- {command}",
}
"""`{command}` is the worker's, `{quoted}` the same for a shell at the other end."""


class Launcher:
    """Starts the workers of a trial by a template, rank r on the r-th host, over and over where there are fewer."""

    def __init__(self, template: str = "local", hosts: Sequence[str] = ()):
        self._template = LAUNCHERS.get(template, template)
        self._hosts = list(hosts)
        if "{command}" not in self._template and "{quoted}" not in self._template:
            known = ", ".join(LAUNCHERS)
            raise UsageError(f"--launcher {template}: give one of {known}, or a template with {{command}} in it")
        if "{host}" in self._template and not self._hosts:
            raise UsageError(f"--launcher {template}: no hosts; name them with --hosts a,b")

    def __call__(self, trial: Trial, log: Path) -> Session:
        """A session over as many fresh workers as the trial has."""
        if trial.cell.workers == 1:
            return WorkerSession(self._words(0), log)
        logs = [log, *(log.with_name(f"{log.stem}-rank{rank}.log") for rank in range(1, trial.cell.workers))]
        return Ranks([WorkerSession(self._words(rank), path) for rank, path in enumerate(logs)])

    def _words(self, rank: int) -> list[str]:
        """The command line that starts one rank; values are put in after it is cut into words."""
        host = self._hosts[rank % len(self._hosts)] if self._hosts else ""
        quoted = shlex.join(LOCAL_WORKER)
        words: list[str] = []
        for word in shlex.split(self._template):
            if word == "{command}":
                words += LOCAL_WORKER
            else:
                filled = word.replace("{host}", host).replace("{rank}", str(rank)).replace("{quoted}", quoted)
                words.append(filled.replace("{command}", quoted))
        return words


def hosts_of(asked: str | None) -> list[str]:
    """The hosts given, or those of the Slurm allocation around this process."""
    if asked:
        return [host.strip() for host in asked.split(",") if host.strip()]
    if nodes := os.environ.get("SLURM_JOB_NODELIST"):
        return expanded(nodes)
    return []


def expanded(nodes: str) -> list[str]:
    """Slurm's short form `gpu[01-03,7],login` as names (scontrol(1), "hostlist")."""
    names: list[str] = []
    for part in _apart(nodes):
        head, bracket, rest = part.partition("[")
        if not bracket:
            names.append(head)
            continue
        numbers, _, tail = rest.partition("]")
        for span in numbers.split(","):
            first, _, last = span.partition("-")
            width = len(first)
            names += [f"{head}{number:0{width}d}{tail}" for number in range(int(first), int(last or first) + 1)]
    return names


def _apart(nodes: str) -> list[str]:
    """Cut at commas outside brackets."""
    parts, depth, word = [], 0, ""
    for letter in nodes:
        depth += (letter == "[") - (letter == "]")
        if letter == "," and not depth:
            parts.append(word)
            word = ""
        else:
            word += letter
    return [part for part in [*parts, word] if part]
