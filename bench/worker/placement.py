"""Which GPUs and CPUs this process takes, settled before TensorFlow is imported and sees any."""

import os
import sys
from collections.abc import Sequence

from bench.measure.cpus import usable_cpus
from bench.trial import Cell

ALLOCATOR_SWITCH = "TF_GPU_ALLOCATOR"


def take_gpus(cell: Cell, uuids: Sequence[str]) -> None:
    """Leave TensorFlow these GPUs alone, and this process the CPUs that are near them, where NVML tells which."""
    from bench.measure.gpus import find_gpus  # noqa: PLC0415  # NVML is nothing to a CPU's trial

    if cell.allocator != "growth":
        os.environ[ALLOCATOR_SWITCH] = cell.allocator
    if not uuids:
        return
    gpus = [gpu for gpu in find_gpus().found if gpu.uuid in uuids]
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(uuids)
    near = {cpu for gpu in gpus for cpu in gpu.cpus} & set(usable_cpus())
    if near and len(gpus) == len(uuids) and all(gpu.cpus for gpu in gpus):
        os.sched_setaffinity(0, near)
    print(f"takes {', '.join(uuids)}", file=sys.stderr)
