"""Which GPUs this process may use, as NVML tells, without TensorFlow."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pynvml

from bench.measure.nvml import Handle, Lost, ask, handle_of, opened, processes, words

_AFFINITY_WORDS = 64
"""Of 64 CPUs each: 4096, which is more than Linux is built for on any machine with GPUs."""
_NO_MIG_DEVICE = "MIG is on and has no device, so CUDA cannot use it; make one with: sudo nvidia-smi mig -cgi 0 -C -i"


@dataclass(frozen=True)
class Gpu:
    """One GPU, or one MIG device of it: what CUDA takes for a device. What NVML does not tell is None or empty.

    `capability` is CUDA's compute capability, such as (9, 0) for Hopper. `pids` are the processes that compute on it;
    in a container their ids are the host's. `cpus` are those of its NUMA node. `index` is the GPU's number in NVML and
    nvidia-smi, also of the GPU that a MIG device is part of.
    """

    name: str
    uuid: str
    capability: tuple[int, int] | None = None
    pids: tuple[int, ...] = ()
    cpus: tuple[int, ...] = ()
    index: int = 0
    mig: bool = False
    mig_place: str = ""


@dataclass(frozen=True)
class Gpus:
    """The GPUs in the order that CUDA will number them, the versions of the driver and of the CUDA that it knows.

    `reason` says why there are none; `notes` what was left out of the list and why.
    """

    found: list[Gpu] = field(default_factory=list)
    driver: str | None = None
    cuda: str | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Board:
    """A GPU as NVML numbers it, and what CUDA can use of it: itself, its MIG devices, or nothing."""

    uuid: str = ""
    devices: tuple[Gpu, ...] = ()


def find_gpus() -> Gpus:
    """Ask NVML, within what CUDA_VISIBLE_DEVICES allows. Never raises: no driver is an answer too."""
    try:
        with opened():
            boards, notes = _boards()
            driver, cuda = ask(pynvml.nvmlSystemGetDriverVersion), ask(pynvml.nvmlSystemGetCudaDriverVersion_v2)
    except (pynvml.NVMLError, Lost) as error:
        return Gpus(reason=f"no NVIDIA GPU answers ({words(error)})")
    # NVML numbers 12.4 as 12040
    version = f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None
    every = [gpu for board in boards for gpu in board.devices]
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    visible = every if allowed is None else _visible(boards, allowed.split(","))
    shown = _as_cuda_shows(visible)
    if len(shown) < len(visible):
        notes.append(f"CUDA shows a process one MIG device and nothing else: {shown[0].name} ({shown[0].uuid})")
    reason = "" if shown else "; ".join(notes) or "NVML sees no GPU"
    if every and not shown:
        reason = f"CUDA_VISIBLE_DEVICES={allowed} hides every GPU"
    return Gpus(shown, driver, version, reason, tuple(notes))


def _as_cuda_shows(gpus: list[Gpu]) -> list[Gpu]:
    """With a MIG device among them only the first one, and no whole GPU either.

    Source: NVIDIA MIG User Guide, "CUDA Device Enumeration".
    """
    first = next((gpu for gpu in gpus if gpu.mig), None)
    return gpus if first is None else [first]


def free_memory_bytes(uuid: str) -> int | None:
    """What the driver has left of a GPU's memory; None where it does not tell."""
    with suppress(pynvml.NVMLError, Lost), opened():
        memory = ask(pynvml.nvmlDeviceGetMemoryInfo, handle_of(uuid))
        return None if memory is None else int(memory.free)
    return None


def _visible(boards: Sequence[_Board], names: Sequence[str]) -> list[Gpu]:
    """What CUDA makes of its variable: indices or beginnings of UUIDs, up to the first that names nothing.

    Source: CUDA C++ Programming Guide, "CUDA Environment Variables". Workers count as NVML does, by PCI bus.
    """
    visible: list[Gpu] = []
    for name in (name.strip() for name in names):
        named = _named(boards, name)
        if len(named) != 1 or any(named[0] is gpu for gpu in visible):
            break
        visible += named
    return visible


def _named(boards: Sequence[_Board], name: str) -> list[Gpu]:
    """The devices with this name; that of a GPU with MIG names the first of its devices, as CUDA takes it."""
    if name.isascii() and name.isdigit():
        return [gpu for board in boards[int(name) : int(name) + 1] for gpu in board.devices[:1]]
    if name.startswith("MIG-"):
        every = [gpu for board in boards for gpu in board.devices if gpu.mig]
        return [gpu for gpu in every if gpu.uuid.startswith(name) or gpu.mig_place == name]
    return [gpu for board in boards if name and board.uuid.startswith(name) for gpu in board.devices[:1]]


def _boards() -> tuple[list[_Board], list[str]]:
    """Every GPU that NVML numbers, and what is to be said of those that cannot be used; raises NVMLError."""
    boards, notes = [], []
    for index in range(pynvml.nvmlDeviceGetCount()):
        try:
            boards.append(_board(pynvml.nvmlDeviceGetHandleByIndex(index), index))
            if not boards[-1].devices:
                notes.append(f"GPU {index}: {_NO_MIG_DEVICE} {index}")
        except pynvml.NVMLError_NoPermission as error:
            notes.append(
                f"GPU {index} is left out: {words(error)}"
            )  # of another's allocation: CUDA has no number for it
        except (pynvml.NVMLError, Lost) as error:
            notes.append(f"GPU {index} is left out: {words(error)}")
            boards.append(_Board())  # the numbers of the GPUs behind it stay
    return boards, notes


def _board(handle: Handle, index: int) -> _Board:
    whole = Gpu(
        name=ask(pynvml.nvmlDeviceGetName, handle) or "unnamed GPU",
        uuid=ask(pynvml.nvmlDeviceGetUUID, handle) or "",
        capability=ask(pynvml.nvmlDeviceGetCudaComputeCapability, handle),
        cpus=tuple(_cpus(handle)),
        index=index,
    )
    modes = ask(pynvml.nvmlDeviceGetMigMode, handle)
    if modes and modes[0] == pynvml.NVML_DEVICE_MIG_ENABLE:
        return _Board(whole.uuid, tuple(_mig_devices(handle, whole)))
    return _Board(whole.uuid, (replace(whole, pids=_pids(handle)),))


def _mig_devices(parent: Handle, whole: Gpu) -> Iterator[Gpu]:
    """The MIG devices of a GPU. Places without one, and those of another user, NVML does not hand out."""
    for place in range(ask(pynvml.nvmlDeviceGetMaxMigDeviceCount, parent) or 0):
        handle = ask(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, parent, place)
        if handle is None:
            continue
        name = ask(pynvml.nvmlDeviceGetName, handle) or "MIG"
        instances = [ask(pynvml.nvmlDeviceGetGpuInstanceId, handle), ask(pynvml.nvmlDeviceGetComputeInstanceId, handle)]
        yield replace(
            whole,
            name=name if name.startswith(whole.name) else f"{whole.name} {name}",
            uuid=ask(pynvml.nvmlDeviceGetUUID, handle) or "",
            pids=_pids(handle),
            mig=True,
            # how drivers before 470 name it, and scripts written for them
            mig_place="" if None in instances else f"MIG-{whole.uuid}/{instances[0]}/{instances[1]}",
        )


def _pids(handle: Handle) -> tuple[int, ...]:
    return tuple(pid for pid, _ in processes(handle) or [])


def _cpus(handle: Handle) -> Iterator[int]:
    told = ask(pynvml.nvmlDeviceGetCpuAffinity, handle, _AFFINITY_WORDS)
    for place, word in enumerate(told or ()):
        yield from (64 * place + bit for bit in range(64) if word >> bit & 1)
