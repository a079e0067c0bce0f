"""The hosts that workers start on: those named, or those of the Slurm allocation around this process."""

import os
import re
from collections.abc import Iterator
from itertools import product

from bench.errors import UsageError

MOST_HOSTS = 1024
"""As many as a cell may have workers; a slip such as `n[1-99999999]` is refused before it fills the memory."""
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@/-]*")
"""Names, addresses, user@name and pod/name; nothing that a program takes for an option, or a shell for its own."""
_PIECE = re.compile(r"\[([^\[\]]*)\]|([^\[\],]+)|(,)")
_SPAN = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")


def hosts_of(asked: str | None) -> list[str]:
    """The hosts given, else those of the Slurm allocation around this process, else none."""
    if asked is not None:
        hosts = expanded(asked, "--hosts")
        if not hosts:
            raise UsageError(f"--hosts {asked!r}: no host in it; give names such as a,b or gpu[01-04]")
        return hosts
    return expanded(os.environ.get("SLURM_JOB_NODELIST", ""), "SLURM_JOB_NODELIST")


def expanded(nodes: str, origin: str) -> list[str]:
    """A list in Slurm's short form, `gpu[01-03,7],login`, as names (scontrol(1), "hostlist")."""
    hosts: list[str] = []
    for pieces in _parts(nodes, origin):
        for words in product(*pieces):
            host = "".join(words).strip()
            if not host:
                continue
            if not _HOST.fullmatch(host):
                raise UsageError(f"{origin} {nodes}: {host!r} is no name of a host; write node1 or gpu[01-04]")
            hosts.append(host)
            if len(hosts) > MOST_HOSTS:
                raise _too_many(nodes, origin)
    return hosts


def _parts(nodes: str, origin: str) -> Iterator[list[list[str]]]:
    """Each host of the list as its pieces in order, every piece with all its values."""
    pieces: list[list[str]] = []
    place = 0
    while place < len(nodes):
        found = _PIECE.match(nodes, place)
        if found is None:
            raise UsageError(f"{origin} {nodes}: brackets that do not match; write gpu[01-03,7],login")
        place = found.end()
        numbers, plain, comma = found.groups()
        if comma:
            yield pieces
            pieces = []
        else:
            pieces.append([plain] if plain else list(_numbers(numbers, nodes, origin)))
    yield pieces


def _numbers(spans: str, nodes: str, origin: str) -> Iterator[str]:
    """`01-03,7` as 01, 02, 03, 7: as wide as the first of each span is written."""
    for span in spans.split(","):
        found = _SPAN.fullmatch(span.strip())
        first, last = (found[1], found[2] or found[1]) if found else ("", "")
        if not found or int(last) < int(first):
            raise UsageError(f"{origin} {nodes}: [{spans}] holds no numbers such as 01-03,7")
        if int(last) - int(first) >= MOST_HOSTS:
            raise _too_many(nodes, origin)
        yield from (f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1))


def _too_many(nodes: str, origin: str) -> UsageError:
    return UsageError(f"{origin} {nodes}: more than {MOST_HOSTS} hosts; name fewer")
