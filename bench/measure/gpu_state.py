"""The present state of each GPU, and how they are joined: evidence beside a run, and what `bench env` tells."""

import threading
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import pynvml

from bench.measure.builds import Build, unsuited
from bench.measure.gpus import Gpu, Gpus, find_gpus
from bench.measure.nvml import Handle, Lost, ask, ecc_errors, handle_of, opened

_COMPUTE_MODES = {
    pynvml.NVML_COMPUTEMODE_DEFAULT: "default",
    pynvml.NVML_COMPUTEMODE_PROHIBITED: "prohibited",
    pynvml.NVML_COMPUTEMODE_EXCLUSIVE_PROCESS: "exclusive process",
}
_PATHS = {
    pynvml.NVML_TOPOLOGY_INTERNAL: "one board",
    pynvml.NVML_TOPOLOGY_SINGLE: "PCIe, one switch",
    pynvml.NVML_TOPOLOGY_MULTIPLE: "PCIe, several switches",
    pynvml.NVML_TOPOLOGY_HOSTBRIDGE: "PCIe, one host bridge",
    pynvml.NVML_TOPOLOGY_NODE: "PCIe, one NUMA node",
    pynvml.NVML_TOPOLOGY_SYSTEM: "between NUMA nodes",
}
"""How far a transfer goes without NVLink, near to far; nvidia-smi topo calls them PIX, PXB, PHB, NODE, SYS."""


@dataclass(frozen=True)
class GpuState:
    """One GPU now; None where it is not told. Of a MIG device the memory is its own, the rest its GPU's.

    `index` is its number in nvidia-smi, `cpus` are those of its NUMA node, as Linux writes them. `unsuited` says why
    the installed TensorFlow cannot use it.
    """

    index: int
    name: str
    uuid: str
    capability: str | None = None
    unsuited: str = ""
    memory_bytes: int | None = None
    mig: bool | None = None
    ecc: bool | None = None
    ecc_errors: int | None = None
    persistence: bool | None = None
    compute_mode: str | None = None
    sm_clock_mhz: int | None = None
    max_sm_clock_mhz: int | None = None
    power_limit_w: float | None = None
    default_power_limit_w: float | None = None
    temperature_c: int | None = None
    slowdown_temperature_c: int | None = None
    nvlinks: int | None = None
    cpus: str | None = None


def look_within(seconds: float, build: Build | None) -> tuple[Gpus, list[GpuState], dict[str, list[str]]]:
    """`look`, or no GPU and the reason where the driver does not answer in time: a call into it cannot be ended."""
    found: list[tuple[Gpus, list[GpuState], dict[str, list[str]]]] = []
    thread = threading.Thread(target=lambda: found.append(look(build)), daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else (Gpus(reason=f"the NVIDIA driver did not answer within {seconds:g} s"), [], {})


def look(build: Build | None) -> tuple[Gpus, list[GpuState], dict[str, list[str]]]:
    """The GPUs, each one's state, and the links between them, for this build of TensorFlow."""
    with ExitStack() as stack:
        with suppress(pynvml.NVMLError):
            # with persistence mode off each beginning initialises every GPU, for seconds
            stack.enter_context(opened())
        gpus = find_gpus()
        states = [_known(gpu, build) for gpu in gpus.found]
        return gpus, [_read(state, gpu) for state, gpu in zip(states, gpus.found, strict=True)], _links(gpus.found)


def _known(gpu: Gpu, build: Build | None) -> GpuState:
    """What is known of a GPU without asking it again."""
    return GpuState(
        gpu.index,
        gpu.name,
        gpu.uuid,
        capability=".".join(map(str, gpu.capability)) if gpu.capability else None,
        unsuited=unsuited(gpu.capability, build),
        cpus=ranges(gpu.cpus),
    )


def _links(gpus: Sequence[Gpu]) -> dict[str, list[str]]:
    """Pairs of GPUs, such as `0-1` in CUDA's numbering, by the nearest way between them; untold ones are left out."""
    links: dict[str, list[str]] = {}
    with suppress(pynvml.NVMLError, Lost):
        handles = [_handle(gpu) for gpu in gpus if not gpu.mig]
        for (first, one), (second, other) in combinations(enumerate(handles), 2):
            if path := _path(one, other):
                links.setdefault(path, []).append(f"{first}-{second}")
    return links


def _handle(gpu: Gpu) -> Handle:
    """By its UUID, and where it tells none by its number."""
    return handle_of(gpu.uuid) if gpu.uuid else pynvml.nvmlDeviceGetHandleByIndex(gpu.index)


def _path(one: Handle, other: Handle) -> str | None:
    """NVLink joins a pair directly or through switches: that they reach each other over it is what counts."""
    if ask(pynvml.nvmlDeviceGetP2PStatus, one, other, pynvml.NVML_P2P_CAPS_INDEX_NVLINK) == pynvml.NVML_P2P_STATUS_OK:
        return "NVLink"
    return _PATHS.get(ask(pynvml.nvmlDeviceGetTopologyCommonAncestor, one, other))


def _read(state: GpuState, gpu: Gpu) -> GpuState:
    """The state with what the GPU tells; one that is lost meanwhile has no more than before."""
    with suppress(pynvml.NVMLError, Lost):
        return _asked(state, gpu, _handle(gpu))
    return state


def _asked(state: GpuState, gpu: Gpu, handle: Handle) -> GpuState:
    board = ask(pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle, handle) or handle if gpu.mig else handle
    slowdown = pynvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
    return replace(
        state,
        memory_bytes=ask(lambda: int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)),
        mig=_on(_current(ask(pynvml.nvmlDeviceGetMigMode, board))),
        ecc=_on(_current(ask(pynvml.nvmlDeviceGetEccMode, board))),
        ecc_errors=ask(ecc_errors, board),
        persistence=_on(ask(pynvml.nvmlDeviceGetPersistenceMode, board)),
        compute_mode=_COMPUTE_MODES.get(ask(pynvml.nvmlDeviceGetComputeMode, board)),
        sm_clock_mhz=ask(pynvml.nvmlDeviceGetClockInfo, board, pynvml.NVML_CLOCK_SM),
        max_sm_clock_mhz=ask(pynvml.nvmlDeviceGetMaxClockInfo, board, pynvml.NVML_CLOCK_SM),
        power_limit_w=_watts(ask(pynvml.nvmlDeviceGetEnforcedPowerLimit, board)),
        default_power_limit_w=_watts(ask(pynvml.nvmlDeviceGetPowerManagementDefaultLimit, board)),
        temperature_c=ask(pynvml.nvmlDeviceGetTemperature, board, pynvml.NVML_TEMPERATURE_GPU),
        slowdown_temperature_c=ask(pynvml.nvmlDeviceGetTemperatureThreshold, board, slowdown),
        nvlinks=_nvlinks(board),
    )


def _current(modes: Any) -> int | None:
    """Of the mode that is and the one after the next start."""
    return modes[0] if modes else None


def _on(mode: int | None) -> bool | None:
    return None if mode is None else mode != 0


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1e3


def _nvlinks(handle: Handle) -> int | None:
    """How many of its links are up; None for a card that has none."""
    told = [ask(pynvml.nvmlDeviceGetNvLinkState, handle, link) for link in range(pynvml.NVML_NVLINK_MAX_LINKS)]
    known = [up for up in told if up is not None]
    return sum(map(bool, known)) if known else None


def ranges(numbers: Iterable[int]) -> str | None:
    """As Linux writes lists of CPUs: `0-31,64-95`; None for none."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans) or None
