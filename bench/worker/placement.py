"""Which GPUs and CPUs this process takes, settled before TensorFlow is imported and sees any."""

import os
import sys
from collections.abc import Sequence

from bench.measure.cpus import usable_cpus
from bench.protocol.commands import Place
from bench.protocol.variables import ALLOCATOR_SWITCH
from bench.trial import Cell
from bench.worker.cluster import keep_to_own_cpus


def take_hardware(cell: Cell, uuids: Sequence[str], place: Place | None) -> None:
    """Leave this process the GPUs and CPUs that are its own, before TensorFlow is imported and sees any.

    The CPUs are those near its GPUs, all of them, whichever other worker is near them too; where none are told, and
    without GPUs, they are its share of the host's. `uuids` are this worker's GPUs; none leaves it to the worker to take
    them out of the visible ones.
    """
    trains_on_gpus = cell.kind == "gpu" and (place is None or place.role == "worker")
    if not (trains_on_gpus and _take_gpus(cell, uuids, place.local_rank if place else 0)):
        keep_to_own_cpus(cell, place)


def _take_gpus(cell: Cell, uuids: Sequence[str], local_rank: int) -> bool:
    """Leave TensorFlow this worker's GPUs alone; whether NVML told the CPUs near them, and this process is on those."""
    from bench.measure.gpus import find_gpus  # noqa: PLC0415  # NVML is nothing to a CPU's trial

    if cell.allocator != "growth":
        os.environ[ALLOCATOR_SWITCH] = cell.allocator
    found, count = find_gpus().found, cell.replicas_per_worker
    first = cell.first_gpu + local_rank * count
    own = list(uuids) or [gpu.uuid for gpu in found[first : first + count]]
    if len(own) < count or not all(own):
        return False
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(own)
    gpus = [gpu for gpu in found if gpu.uuid in own]
    print(f"takes {', '.join(own)}", file=sys.stderr)
    near = {cpu for gpu in gpus for cpu in gpu.cpus} & set(usable_cpus())
    if not near or len(gpus) < count or not all(gpu.cpus for gpu in gpus):
        return False
    os.sched_setaffinity(0, near)
    return True
