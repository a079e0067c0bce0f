"""Which GPUs NVML sees, without TensorFlow."""

import os
from contextlib import suppress
from dataclasses import dataclass

import pynvml


@dataclass(frozen=True)
class Gpus:
    """Names of the GPUs that this process may use, the driver's version, and the reason where there are none."""

    names: list[str]
    driver: str | None
    reason: str


def find_gpus() -> Gpus:
    """Ask NVML; CUDA_VISIBLE_DEVICES narrows the answer by count. Never raises: no driver is an answer too."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None and allowed.strip() in {"", "-1"}:
        return Gpus([], None, "CUDA_VISIBLE_DEVICES hides every GPU")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return Gpus([], None, f"no NVIDIA GPU answers (NVML: {_one_line(error)})")
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        names = [str(pynvml.nvmlDeviceGetName(handle)) for handle in handles]
        driver = str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError as error:
        return Gpus([], None, f"the NVIDIA driver does not tell its GPUs (NVML: {_one_line(error)})")
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
    names = names[: len(allowed.split(","))] if allowed else names
    return Gpus(names, driver, "" if names else "NVML sees no GPU")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
