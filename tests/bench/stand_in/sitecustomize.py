"""For every Python that finds this first: logical CPUs stand in for TensorFlow's GPUs, in bench.worker.devices alone.

STAND_IN_OOM_FROM names a global batch from which on a step is out of memory, STAND_IN_HOST what the host calls itself.
"""

import os
import socket
import sys
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

MODULE = "bench.worker.devices"
ALLOCATED_BYTES = 3 * 2**30


class _Finder(PathFinder):
    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> Any:
        spec = PathFinder.find_spec(fullname, path, target) if fullname == MODULE else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            _stand_in(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # a loader of its own would be longer
        return spec


def _stand_in(devices: Any) -> None:
    """Replace what asks TensorFlow for GPUs."""
    configure, where, synchronise = devices.configure_devices, devices.devices_of, devices.synchronise
    cells: list[Any] = []

    def configure_devices(cell: Any, shards: int) -> list[str]:
        cells.append(cell)
        return list(configure(cell.model_copy(update={"device": "cpu"}), shards))

    def checked_synchronise() -> None:
        least = int(os.environ.get("STAND_IN_OOM_FROM", "1000000"))
        if cells and cells[0].global_batch >= least:
            shape = f"[{cells[0].global_batch},26,26,32]"
            device = "/job:localhost/replica:0/task:0/device:GPU:0"
            raise devices.tf.errors.ResourceExhaustedError(
                None,
                None,
                f"OOM when allocating tensor with shape{shape} and type float on {device} by allocator GPU_0_bfc",
            )
        synchronise()

    devices.configure_devices = configure_devices
    devices.synchronise = checked_synchronise
    devices.devices_of = lambda *asked: [name.replace("CPU", "GPU") for name in where(*asked)]
    devices.gpu_models = lambda: ["Stand-in" for _ in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    devices.allocator = lambda: os.environ.get(devices.ALLOCATOR_SWITCH, "growth")
    devices.peak_device_memory_bytes = lambda _: ALLOCATED_BYTES
    devices.reset_peak_device_memory = lambda _: None


if own_name := os.environ.get("STAND_IN_HOST"):
    socket.gethostname = lambda: own_name
sys.meta_path.insert(0, _Finder)
