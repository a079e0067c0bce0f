"""Which CPUs and GPUs a worker takes: a real process under a driver that plays a script."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

CPUS = sorted(os.sched_getaffinity(0))
TAKE = """
import json, os, sys
from bench.protocol.commands import Place
from bench.trial import Cell
from bench.worker.placement import take_hardware

rank = int(sys.argv[1])
cell = Cell(strategy="multi_worker_mirrored", device="gpu", workers=2, replicas=2, global_batch=2)
place = Place(cluster=["a:1", "a:2"], rank=rank, local_rank=rank, cpu_rank=rank, cpu_ranks=2)
take_hardware(cell, [f"GPU-{rank}"], place)
print(json.dumps([os.environ["CUDA_VISIBLE_DEVICES"], sorted(os.sched_getaffinity(0))]))
"""


def taken(rank: int) -> tuple[str, list[int]]:
    words = [sys.executable, "-c", TAKE, str(rank)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    gpus, cpus = json.loads(done.stdout)
    return gpus, cpus


@pytest.mark.skipif(len(CPUS) < 2, reason="there is one CPU, which is near to everything")
def test_workers_of_one_host_are_on_the_cpus_of_their_gpus(play: Callable[[str], float]) -> None:
    """The first worker's GPU is near the last CPU and the second's near the first, whatever their order would give."""
    last, first = CPUS[-1], CPUS[0]
    play(f"count 2\n0.uuid GPU-0\n1.uuid GPU-1\n0.cpus {last}-{last}\n1.cpus {first}-{first}\n")
    assert [taken(0), taken(1)] == [("GPU-0", [last]), ("GPU-1", [first])]


@pytest.mark.skipif(len(CPUS) < 2, reason="one CPU cannot be shared out")
def test_workers_of_gpus_that_are_near_no_cpu_share_out_all(play: Callable[[str], float]) -> None:
    """Where the driver tells of no CPUs each worker has as many as the other, and none of the other's."""
    play("count 2\n0.uuid GPU-0\n1.uuid GPU-1\n")
    (_, one), (_, other) = taken(0), taken(1)
    assert len(one) == len(other) > 0
    assert not {*one} & {*other}
