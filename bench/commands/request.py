"""What `bench run` was asked for on the command line, and what is wrong with it by itself."""

import sys
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from bench.errors import UsageError
from bench.execute.hosts import hosts_of
from bench.execute.launchers import Launcher, words_of


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line asked for."""

    suite: str | None
    overrides: list[str]
    epochs: int | None
    repeats: int | None
    time_limit_s: float | None
    target_accuracy: float | None
    diagnose: bool
    max_batch: bool
    data: Path | None
    out: Path
    resume: Path | None
    dry_run: bool
    allow_busy: bool
    launcher: str
    hosts: str | None
    python: str | None
    network: str | None
    quiet: bool
    json: bool

    @property
    def launched(self) -> dict[str, str]:
        """The options that say where workers run, as they were given."""
        launcher = self.launcher if self.launcher != "local" else None
        given = {"--launcher": launcher, "--hosts": self.hosts, "--python": self.python, "--network": self.network}
        return {name: value for name, value in given.items() if value is not None}


def launcher_of(request: Request) -> Launcher:
    """The launcher asked for; hosts are of no use to one that has no place for them."""
    takes_hosts = "{host}" in words_of(request.launcher)
    launcher = Launcher(
        template=request.launcher,
        hosts=hosts_of(request.hosts) if takes_hosts else [],
        python=request.python or sys.executable,
        network=request.network,
    )
    if request.hosts and not takes_hosts:
        raise UsageError(f"--hosts: --launcher {request.launcher} has no {{host}} to put them in; try --launcher ssh")
    return launcher


def check_numbers(request: Request) -> None:
    """Raise UsageError for a number that no run can have."""
    if request.time_limit_s is not None and not isfinite(request.time_limit_s):
        raise UsageError(f"--time-limit {request.time_limit_s}: give a number of seconds, or leave it out")
    if request.target_accuracy is not None and not 0 < request.target_accuracy <= 1:
        given = request.target_accuracy
        raise UsageError(f"--target-accuracy {given}: give a share above 0 and at most 1, such as 0.99")
    if request.max_batch and request.diagnose:
        raise UsageError("--max-batch only finds out what trains; diagnose a batch that does: leave out --diagnose")
