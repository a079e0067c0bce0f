"""Which GPUs and CPUs this process takes, settled before TensorFlow is imported and sees any."""

import os
import sys
from collections.abc import Sequence

from bench.measure.cpus import usable_cpus
from bench.protocol.variables import ALLOCATOR_SWITCH
from bench.trial import Cell


def take_gpus(cell: Cell, uuids: Sequence[str], local_rank: int = 0) -> None:
    """Leave TensorFlow this worker's GPUs alone, and this process the CPUs that are near them, where NVML tells which.

    `uuids` are this worker's; none leaves it to the worker to take them out of the visible ones.
    """
    from bench.measure.gpus import find_gpus  # noqa: PLC0415  # NVML is nothing to a CPU's trial

    if cell.allocator != "growth":
        os.environ[ALLOCATOR_SWITCH] = cell.allocator
    found, count = find_gpus().found, cell.replicas_per_worker
    first = cell.first_gpu + local_rank * count
    own = list(uuids) or [gpu.uuid for gpu in found[first : first + count]]
    if len(own) < count or not all(own):
        return
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(own)
    gpus = [gpu for gpu in found if gpu.uuid in own]
    near = {cpu for gpu in gpus for cpu in gpu.cpus} & set(usable_cpus())
    if near and len(gpus) == count and all(gpu.cpus for gpu in gpus):
        os.sched_setaffinity(0, near)
    print(f"takes {', '.join(own)}", file=sys.stderr)
