"""A worker's place among several: what TensorFlow must know before its context exists."""

import json
import os
import socket

from bench.measure.cpus import share_of_cpus, usable_cpus
from bench.protocol import Place
from bench.trial import Cell


def free_port() -> int:
    """A port that was free a moment ago; where it is taken meanwhile, the trial is begun anew."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def take_place(place: Place) -> None:
    """Tell TensorFlow the cluster."""
    task = {"type": "worker", "index": place.rank}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": place.cluster}, "task": task})
    if place.interface:  # else NCCL chooses one by itself (NCCL's documentation, "Environment Variables")
        os.environ.setdefault("NCCL_SOCKET_IFNAME", f"={place.interface}")


def keep_to_own_cpus(cell: Cell, place: Place | None) -> None:
    """Keep this process to its worker's share of the host's CPUs, before any thread of TensorFlow starts."""
    local_rank, local_ranks = (place.local_rank, place.local_ranks) if place else (0, 1)
    threads = cell.cpu_threads if cell.kind == "cpu" else None
    own = share_of_cpus(sorted(usable_cpus()), threads=threads, local_rank=local_rank, local_ranks=local_ranks)
    if own and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, own)
