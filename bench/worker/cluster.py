"""A worker's place among several: what TensorFlow must know before its context exists."""

import json
import os
import socket

from bench.measure.cpus import usable_cpus
from bench.protocol import Place


def free_port() -> int:
    """A port that was free a moment ago; where it is taken meanwhile, the trial is begun anew."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def take_place(place: Place) -> None:
    """Tell TensorFlow the cluster, and keep to this worker's share of the host's CPUs."""
    task = {"type": "worker", "index": place.rank}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": place.cluster}, "task": task})
    if place.interface:  # else NCCL chooses one by itself (NCCL's documentation, "Environment Variables")
        os.environ.setdefault("NCCL_SOCKET_IFNAME", f"={place.interface}")
    cpus = sorted(usable_cpus())
    if place.local_ranks > 1 and len(cpus) >= place.local_ranks:
        each = len(cpus) // place.local_ranks
        os.sched_setaffinity(0, cpus[place.local_rank * each : (place.local_rank + 1) * each])
