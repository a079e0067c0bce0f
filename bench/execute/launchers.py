"""How a worker is started: a command prefix whose stdin and stdout reach it, here or on another host."""

import ipaddress
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import UsageError, did_you_mean
from bench.execute.ranks import Ranks
from bench.execute.session import NotStarted, Session, WorkerLost, WorkerSession, close_all, worker_command
from bench.protocol.variables import NETWORK_SETTINGS
from bench.trial import Trial

LAUNCHERS = {
    "local": "{command}",
    "ssh": "ssh -T -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=5 {host} {quoted}",
    "slurm": "srun --overlap --exact -N1 -n1 -w {host} --unbuffered {command}",
    "kubectl": "kubectl exec -i {host} -- {command}",
}
"""`{command}` is the worker's, `{quoted}` the same as one word, for a shell at the other end."""
_GOES_ALONG = re.compile(rf"{NETWORK_SETTINGS.pattern}|TF_CPP_\w+")
"""Of this process's environment, what workers elsewhere get too: a network is tuned on every host alike."""
_NAMED = re.compile(r"(?<!\$)\{(\w+)\}")
"""What looks as if something was to be put in; a shell's `${NAME}` does not."""
_PLACES = {"command", "quoted", "host", "rank"}
_INTERFACE = re.compile(r"[A-Za-z0-9_.:@][A-Za-z0-9_.:@-]{0,14}")


def words_of(template: str) -> str:
    """A template by its name, or as it was given."""
    return LAUNCHERS.get(template, template)


@dataclass(frozen=True, kw_only=True)
class Launcher:
    """Starts the workers of a trial by a template, the r-th on the r-th host, over and over where there are fewer.

    So are servers, beginning with the first host again, where a coordinator is too.

    `python` is the one on the workers' hosts, `network` where their addresses must be, and `variables` are further
    ones of the workers' environment. Raises UsageError for a template, hosts or a network that can start nothing.
    """

    template: str = "local"
    hosts: Sequence[str] = ()
    python: str = sys.executable
    network: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        told = f"--launcher {self.template}"
        if not re.search(r"\{(command|quoted)\}", self.words):
            near = did_you_mean(self.template, LAUNCHERS)
            raise UsageError(f"{told}: give one of {', '.join(LAUNCHERS)}, or words with {{command}} in them{near}")
        try:
            program = shlex.split(self.words)[0]
        except ValueError as error:
            raise UsageError(f"{told}: {error}; write it as a shell would take it") from None
        if "{" not in program and shutil.which(program) is None:
            raise UsageError(f"{told}: there is no program {program} here; install it, or give another launcher")
        for name in _NAMED.findall(self.words):
            if name not in _PLACES and (near := did_you_mean(name, _PLACES)):
                raise UsageError(
                    f"{told}: nothing is put in for {{{name}}}, but for {', '.join(sorted(_PLACES))}{near}"
                )
        if self.here and shutil.which(self.python) is None:
            raise UsageError(f"--python {self.python}: no such program here; give the path of a Python")
        if "{host}" in self.words and not self.hosts:
            raise UsageError(f"{told}: no hosts; name them with --hosts a,b, or start within a Slurm allocation")
        if self.network is not None:
            _check_network(self.network)

    @property
    def words(self) -> str:
        """The template, by its name or as it was given."""
        return words_of(self.template)

    @property
    def here(self) -> bool:
        """Whether workers start as plain children of this process."""
        return self.words == LAUNCHERS["local"]

    def check(self, trials: Iterable[Trial]) -> None:
        """Raise UsageError where workers cannot be shared out to the hosts evenly, or would not be where they look."""
        trials = list(trials)
        if "{rank}" in self.words and any(trial.cell.asynchronous for trial in trials if not trial.unsupported):
            told = "under a coordinator ranks are not workers; use {host} in place of {rank}, with --hosts"
            raise UsageError(f"--launcher {self.template}: {told}")
        for workers in sorted({trial.cell.workers for trial in trials if not trial.unsupported}):
            if "{host}" in self.words and workers > len(self.hosts) and workers % len(self.hosts):
                hosts = f"{len(self.hosts)} hosts"
                raise UsageError(f"--hosts: {workers} workers cannot be shared out evenly to {hosts}; name {workers}")

    def idle(self, trials: Iterable[Trial]) -> list[str]:
        """The hosts on which no worker or server of any trial starts."""
        cells = [trial.cell for trial in trials if not trial.unsupported]
        most = max((max(cell.roles.count("worker"), cell.roles.count("server")) for cell in cells), default=0)
        return list(self.hosts[most:]) if "{host}" in self.words else []

    def __call__(self, trial: Trial, log: Path) -> Session:
        """A session over as many fresh processes as the trial has ranks; where one cannot be started, over none."""
        roles = trial.cell.roles
        logs = [log, *(log.with_name(f"{log.stem}-rank{rank}.log") for rank in range(1, len(roles)))]
        lines = [self.command_line(rank, place=roles[:rank].count(role)) for rank, role in enumerate(roles)]
        started: list[Session] = []
        for line, path in zip(lines, logs, strict=True):
            try:
                started.append(WorkerSession(line, path))
            except WorkerLost as lost:
                close_all(started)
                return NotStarted(f"rank {len(started)} {lost}")
        return Ranks(started, roles) if len(roles) > 1 else started[0]

    def places(self, workers: int) -> dict[int, list[int]]:
        """The ranks of so many workers that start in one place, by the first of them: their command lines are equal."""
        ranks: dict[tuple[str, ...], list[int]] = {}
        for rank in range(workers):
            ranks.setdefault(tuple(self.command_line(rank)), []).append(rank)
        return {alike[0]: alike for alike in ranks.values()}

    def command_line(self, rank: int, options: Sequence[str] = (), place: int | None = None) -> list[str]:
        """The words that start one rank, or what else `options` make of it beside it.

        It starts on the host of its place among the ranks of its role, else of its rank. Values are put in after the
        template is cut into words.
        """
        command = self._command(options)
        values = {
            "host": self._host(rank if place is None else place),
            "rank": str(rank),
            "command": shlex.join(command),
            "quoted": shlex.join(command),
        }
        words: list[str] = []
        for word in shlex.split(self.words):
            filled = re.sub(rf"\{{({'|'.join(_PLACES)})\}}", lambda found: values[found[1]], word)
            words += command if word == "{command}" else [filled]
        return words

    def name_of(self, rank: int) -> str:
        """A rank for a sentence, with the host that it was to start on."""
        return f"rank {rank} on {self._host(rank)}" if self._host(rank) else f"rank {rank}"

    def _host(self, rank: int) -> str:
        return self.hosts[rank % len(self.hosts)] if self.hosts and "{host}" in self.words else ""

    def _command(self, options: Sequence[str]) -> list[str]:
        """The worker's own words, with this process's settings of the network where it does not inherit them."""
        along = {name: value for name, value in os.environ.items() if _GOES_ALONG.fullmatch(name) and not self.here}
        words = sorted(f"{name}={value}" for name, value in {**along, **self.variables}.items())
        command = [*worker_command(self.python, None if options else self.network), *options]
        return ["env", *words, *command] if words else command


def _check_network(network: str) -> None:
    """Whether it can be one at all: which interfaces and addresses there are only each host knows."""
    try:
        ipaddress.ip_network(network, strict=False)
    except ValueError:
        if not _INTERFACE.fullmatch(network):
            told = "give an interface such as eth0, or a network such as 10.1.0.0/16"
            raise UsageError(f"--network {network}: {told}") from None
