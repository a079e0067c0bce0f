"""Which GPUs and CPUs this process takes, settled before TensorFlow is imported and sees any."""

import os
import sys

from bench.measure.cpus import usable_cpus
from bench.trial import Cell

ALLOCATOR_SWITCH = "TF_GPU_ALLOCATOR"


def take_gpus(cell: Cell, local_rank: int = 0) -> None:
    """Leave TensorFlow the GPUs of the cell alone, by their UUIDs, and this process the CPUs that are near them.

    They are counted within the CUDA_VISIBLE_DEVICES that was inherited, so never outside an allocation. Where NVML
    does not tell them, all stays as it was, and TensorFlow says what is missing.
    """
    from bench.measure.gpus import find_gpus, taken  # noqa: PLC0415  # NVML is nothing to a CPU's trial

    if cell.allocator != "growth":
        os.environ[ALLOCATOR_SWITCH] = cell.allocator
    gpus = taken(find_gpus().found, cell.first_gpu, cell.replicas_per_worker, local_rank)
    if len(gpus) < cell.replicas_per_worker:
        return
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpu.uuid for gpu in gpus)
    near = {cpu for gpu in gpus for cpu in gpu.cpus} & set(usable_cpus())
    if near and all(gpu.cpus for gpu in gpus):
        os.sched_setaffinity(0, near)
    print(f"takes {', '.join(f'{gpu.name} ({gpu.uuid})' for gpu in gpus)}", file=sys.stderr)
