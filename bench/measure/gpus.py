"""Which GPUs this process may use, as NVML tells, without TensorFlow."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pynvml

from bench.measure.nvml import Lost, ask, processes


@dataclass(frozen=True)
class Gpu:
    """One GPU: `capability` is CUDA's compute capability, such as (9, 0) for Hopper.

    `pids` are the processes that compute on it; in a container their ids are the host's.
    """

    name: str
    uuid: str
    capability: tuple[int, int]
    pids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Gpus:
    """The GPUs in the order that CUDA will number them, the driver's version, and the reason where there are none."""

    found: list[Gpu] = field(default_factory=list)
    driver: str | None = None
    reason: str = ""


def find_gpus() -> Gpus:
    """Ask NVML, within what CUDA_VISIBLE_DEVICES allows. Never raises: no driver is an answer too."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return Gpus(reason=f"no NVIDIA GPU answers (NVML: {_one_line(error)})")
    try:
        every = [_gpu(pynvml.nvmlDeviceGetHandleByIndex(index)) for index in range(pynvml.nvmlDeviceGetCount())]
        driver = str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError as error:
        return Gpus(reason=f"the NVIDIA driver does not tell its GPUs (NVML: {_one_line(error)})")
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    visible = every if allowed is None else _visible(every, allowed.split(","))
    if every and not visible:
        return Gpus(driver=driver, reason=f"CUDA_VISIBLE_DEVICES={allowed} hides every GPU")
    return Gpus(visible, driver, "" if visible else "NVML sees no GPU")


def free_memory_bytes(uuid: str) -> int | None:
    """What the driver has left of a GPU's memory; None where it does not tell."""
    with suppress(pynvml.NVMLError, Lost):
        pynvml.nvmlInit()
        try:
            handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
            return ask(lambda: int(pynvml.nvmlDeviceGetMemoryInfo(handle).free))  # type: ignore[no-any-return]  # it has no types
        finally:
            pynvml.nvmlShutdown()
    return None


def _visible(gpus: Sequence[Gpu], words: Sequence[str]) -> list[Gpu]:
    """What CUDA makes of its variable: indices or beginnings of UUIDs, up to the first that names nothing.

    Source: CUDA C++ Programming Guide, "CUDA Environment Variables". Workers count as NVML does, by PCI bus.
    """
    visible: list[Gpu] = []
    for word in (word.strip() for word in words):
        if word.isascii() and word.isdigit():
            named = list(gpus[int(word) : int(word) + 1])
        else:
            named = [gpu for gpu in gpus if word and gpu.uuid.startswith(word)]
        if len(named) != 1 or named[0] in visible:
            break
        visible += named
    return visible


def _gpu(handle: object) -> Gpu:
    major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    name, uuid = str(pynvml.nvmlDeviceGetName(handle)), str(pynvml.nvmlDeviceGetUUID(handle))
    with suppress(Lost):
        return Gpu(name, uuid, (major, minor), tuple(pid for pid, _ in processes(handle) or []))
    return Gpu(name, uuid, (major, minor))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
