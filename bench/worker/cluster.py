"""A worker's place among several: what TensorFlow must know before its context exists."""

import json
import os
import socket

from bench.measure.cpus import share_of_cpus, usable_cpus
from bench.protocol.commands import Place
from bench.trial import Cell, Role

_JOBS: dict[Role, str] = {"worker": "worker", "coordinator": "chief", "server": "ps"}
"""TensorFlow's names."""


def free_port() -> int:
    """A port that was free a moment ago; where it is taken meanwhile, the trial is begun anew."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def cluster_of(place: Place) -> dict[str, list[str]]:
    """All addresses by TensorFlow's name of what is done there."""
    found: dict[str, list[str]] = {}
    roles: list[Role] = place.roles or ["worker"] * len(place.cluster)
    for role, address in zip(roles, place.cluster, strict=True):
        found.setdefault(_JOBS[role], []).append(address)
    return found


def task_of(place: Place) -> tuple[str, int]:
    """TensorFlow's name of what this rank does, and how many do the same before it."""
    return _JOBS[place.role], place.roles[: place.rank].count(place.role) if place.roles else place.rank


def take_place(place: Place) -> None:
    """Tell TensorFlow the cluster."""
    job, index = task_of(place)
    os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster_of(place), "task": {"type": job, "index": index}})
    if place.interface:  # else NCCL chooses one by itself (NCCL's documentation, "Environment Variables")
        os.environ.setdefault("NCCL_SOCKET_IFNAME", f"={place.interface}")


def keep_to_own_cpus(cell: Cell, place: Place | None) -> None:
    """Keep this process to its worker's share of the host's CPUs, before any thread of TensorFlow starts.

    Coordinators and servers have no share: they use what workers leave, so that these are as they would be alone.
    """
    if place is not None and place.role != "worker":
        return
    rank, ranks = (place.cpu_rank, place.cpu_ranks) if place else (0, 1)
    threads = cell.cpu_threads if cell.kind == "cpu" else None
    own = share_of_cpus(sorted(usable_cpus()), threads=threads, local_rank=rank, local_ranks=ranks)
    if own and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, own)
