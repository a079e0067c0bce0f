"""One reading of a GPU's counters through NVML; what the card or driver does not tell is None, never 0."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pynvml


class Reading(NamedTuple):
    """A GPU at one moment, in NVML's own meaning of each figure; None where it is not told.

    `memory_used_bytes` is of the whole device. `power_w` is an average over the last second from Ampere on (NVML API
    reference, nvmlDeviceGetPowerUsage); `energy_j` counts since the driver was loaded. `event_reasons` is NVML's bit
    mask of what holds the clocks back.
    """

    memory_used_bytes: int | None
    utilisation: float | None
    memory_utilisation: float | None
    power_w: float | None
    energy_j: float | None
    sm_clock_mhz: int | None
    memory_clock_mhz: int | None
    temperature_c: int | None
    event_reasons: int | None
    ecc_errors: int | None


class Lost(Exception):  # noqa: N818  # reads as what happened
    """The GPU, or the driver, answers no more."""


_GONE = {
    pynvml.NVML_ERROR_GPU_IS_LOST,
    pynvml.NVML_ERROR_UNINITIALIZED,
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
    pynvml.NVML_ERROR_RESET_REQUIRED,
}
Handle = Any
"""nvidia-ml-py has no types."""


def read(handle: Handle) -> Reading:
    """Read everything of one GPU; raises Lost where it is gone."""
    rates = ask(lambda: pynvml.nvmlDeviceGetUtilizationRates(handle))
    return Reading(
        memory_used_bytes=ask(lambda: int(pynvml.nvmlDeviceGetMemoryInfo(handle).used)),
        utilisation=rates.gpu / 100 if rates else None,
        memory_utilisation=rates.memory / 100 if rates else None,
        power_w=ask(lambda: pynvml.nvmlDeviceGetPowerUsage(handle) / 1e3),
        energy_j=ask(lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3),
        sm_clock_mhz=ask(lambda: int(pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM))),
        memory_clock_mhz=ask(lambda: int(pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_MEM))),
        temperature_c=ask(lambda: int(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))),
        event_reasons=ask(lambda: int(pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle))),
        ecc_errors=ask(lambda: _ecc_errors(handle)),
    )


def ask(question: Callable[[], Any]) -> Any:
    """The answer, or None where this card, driver or user may not have it; raises Lost where nothing answers."""
    try:
        return question()
    except pynvml.NVMLError as error:
        if error.value in _GONE:
            raise Lost(f"NVML: {' '.join(str(error).split())}") from None
        return None


def _ecc_errors(handle: Handle) -> int:
    """Uncorrected errors since the driver was loaded."""
    kind, counter = pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, pynvml.NVML_VOLATILE_ECC
    return int(pynvml.nvmlDeviceGetTotalEccErrors(handle, kind, counter))


def processes(handle: Handle) -> list[tuple[int, int | None]] | None:
    """The compute processes on a GPU: each one's id on the host and its bytes there; None where NVML shows none.

    In a container the ids are still the host's, and of a process that is not the user's the bytes may be missing.
    """
    found = ask(lambda: pynvml.nvmlDeviceGetComputeRunningProcesses_v3(handle))
    return None if found is None else [(int(one.pid), one.usedGpuMemory) for one in found]
