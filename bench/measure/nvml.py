"""One reading of a GPU's counters through NVML; what the card or driver does not tell is None, never 0."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import pynvml


class Reading(NamedTuple):
    """A GPU at one moment, in NVML's own meaning of each figure; None where it is not told, or was not asked.

    `memory_used_bytes` is of the whole device. `power_w` is an average over the last second from Ampere on (NVML API
    reference, nvmlDeviceGetPowerUsage); `energy_j` counts since the driver was loaded. `event_reasons` is NVML's bit
    mask of what holds the clocks back. Of PCIe the rates are over 20 ms; NVLink's payload is counted, over all links.
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
    nvlink_tx_bytes: int | None = None
    nvlink_rx_bytes: int | None = None
    pcie_tx_bytes_per_s: int | None = None
    pcie_rx_bytes_per_s: int | None = None


class Lost(Exception):  # noqa: N818  # reads as what happened
    """The GPU, or the driver, answers no more."""


_GONE = {
    pynvml.NVML_ERROR_GPU_IS_LOST,
    pynvml.NVML_ERROR_UNINITIALIZED,
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
    pynvml.NVML_ERROR_RESET_REQUIRED,
}
_ALL_LINKS = 0xFFFFFFFF
"""The scope of a field value that sums over all links (nvml.h, "NVLink throughput counters")."""
Handle = Any
"""nvidia-ml-py has no types."""


@contextmanager
def opened() -> Iterator[None]:
    """NVML may be asked while the block runs; raises NVMLError where it cannot be."""
    open_nvml()
    try:
        yield
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def open_nvml() -> None:
    """Begin to ask NVML; raises NVMLError.

    nvidia-ml-py begins with nvmlInitWithFlags; a library that stands in for the driver's may know nvmlInit_v2 only.
    """
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_FunctionNotFound:
        begin = getattr(pynvml.nvmlLib, "nvmlInit_v2", None)
        if begin is None:
            raise
        if code := begin():
            raise pynvml.NVMLError(code) from None


def handle_of(uuid: str) -> Handle:
    """The GPU or MIG device with this UUID; raises NVMLError."""
    try:
        return pynvml.nvmlDeviceGetHandleByUUID(uuid)
    except pynvml.NVMLError_FunctionNotFound:
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            if ask(pynvml.nvmlDeviceGetUUID, handle) == uuid:
                return handle
        raise


def read(handle: Handle, *, traffic: bool = True) -> Reading:
    """Read everything of one GPU, its traffic only where asked; raises Lost where it is gone, or tells nothing at all.

    The driver watches PCIe for 20 ms in each direction before it answers, so that is asked last.
    """
    rates = ask(pynvml.nvmlDeviceGetUtilizationRates, handle)
    reading = Reading(
        memory_used_bytes=ask(lambda: int(pynvml.nvmlDeviceGetMemoryInfo(handle).used)),
        utilisation=rates.gpu / 100 if rates else None,
        memory_utilisation=rates.memory / 100 if rates else None,
        power_w=ask(lambda: pynvml.nvmlDeviceGetPowerUsage(handle) / 1e3),
        energy_j=ask(lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3),
        sm_clock_mhz=ask(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM),
        memory_clock_mhz=ask(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_MEM),
        temperature_c=ask(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU),
        event_reasons=ask(_event_reasons, handle),
        ecc_errors=ask(ecc_errors, handle),
        **(_traffic(handle) if traffic else {}),
    )
    if traffic and all(value is None for value in reading):  # whatever code it ends each question with
        raise Lost("NVML tells nothing of it any more")
    return reading


def ask(question: Callable[..., Any], *about: Any) -> Any:
    """The answer, or None where this card, driver or user may not have it; raises Lost where nothing answers."""
    try:
        return question(*about)
    except pynvml.NVMLError as error:
        if error.value in _GONE:
            raise Lost(words(error)) from None
        return None
    except UnicodeDecodeError:  # a name that is no text
        return None


def words(error: Exception) -> str:
    """What NVML says, on one line; Lost says it already."""
    return str(error) if isinstance(error, Lost) else f"NVML: {' '.join(str(error).split())}"


def _event_reasons(handle: Handle) -> int:
    """Under their old name where the driver is older than 535; TensorFlow runs from 525 on."""
    try:
        return int(pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle))
    except pynvml.NVMLError_FunctionNotFound:
        return int(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))


def ecc_errors(handle: Handle) -> int:
    """Uncorrected errors since the driver was loaded; raises NVMLError."""
    kind, counter = pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, pynvml.NVML_VOLATILE_ECC
    return int(pynvml.nvmlDeviceGetTotalEccErrors(handle, kind, counter))


def _traffic(handle: Handle) -> dict[str, int | None]:
    """NVLink counts KiB, PCIe tells KB a second (NVML API reference)."""
    fields = [pynvml.NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX, pynvml.NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX]
    told = ask(pynvml.nvmlDeviceGetFieldValues, handle, [(field, _ALL_LINKS) for field in fields])
    counted = [None if one.nvmlReturn else 1024 * int(one.value.ullVal) for one in told or ()]
    nvlink = dict(zip(("nvlink_tx_bytes", "nvlink_rx_bytes"), counted, strict=False))
    pcie = {
        "pcie_tx_bytes_per_s": pynvml.NVML_PCIE_UTIL_TX_BYTES,
        "pcie_rx_bytes_per_s": pynvml.NVML_PCIE_UTIL_RX_BYTES,
    }
    rates = {name: ask(pynvml.nvmlDeviceGetPcieThroughput, handle, way) for name, way in pcie.items()}
    return nvlink | {name: None if rate is None else 1000 * rate for name, rate in rates.items()}


def processes(handle: Handle) -> list[tuple[int, int | None]] | None:
    """The compute processes on a GPU: each one's id on the host and its bytes there; None where NVML shows none.

    In a container the ids are still the host's, and of a process that is not the user's the bytes may be missing.
    """
    found = ask(pynvml.nvmlDeviceGetComputeRunningProcesses_v3, handle)
    return None if found is None else [(int(one.pid), one.usedGpuMemory) for one in found]
