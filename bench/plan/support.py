"""Which cells cannot be executed, and why: they stay in the plan as `unsupported` rows with a reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

from bench.errors import UsageError
from bench.host import hosts_in, uuids_in
from bench.trial import Cell

OF_WORKERS = {"multi_worker_mirrored", "parameter_server"}
"""Strategies of several processes that train, of one replica each where a suite does not say how many."""


@dataclass(frozen=True)
class Machine:
    """What planning must know of the machine: its GPUs' names and compute capabilities, or why there are none.

    `unsuited` says of each GPU why the installed TensorFlow cannot use it, or nothing; with `mig` the only GPU is a MIG
    device, and CUDA shows no process another one. `uuids` are the GPUs', none where one of them is not told.

    Where workers start elsewhere there are `hosts`, machines with a `host` each, and `host_of_rank` has the place among
    them of each rank; what is told of no host is then the first one's.
    """

    gpus: list[str] = field(default_factory=list)
    capabilities: list[str | None] = field(default_factory=list)
    no_gpu_reason: str = "no NVIDIA GPU was found"
    unsuited: list[str] = field(default_factory=list)
    mig: bool = False
    uuids: list[str] = field(default_factory=list)
    host: str = ""
    hosts: "Sequence[Machine]" = ()
    host_of_rank: Sequence[int] = ()

    @property
    def has_gpus(self) -> bool:
        """Whether every host has some."""
        return all(host.gpus for host in self.hosts or [self])

    def shares(self, workers: int) -> "list[tuple[Machine, list[int]]]":
        """The hosts of so many workers, each with the ranks that are on it."""
        if not self.hosts:
            return [(self, list(range(workers)))]
        ranks: dict[int, list[int]] = {}
        for rank in range(workers):
            ranks.setdefault(self.host_of_rank[rank % len(self.host_of_rank)], []).append(rank)
        return [(self.hosts[place], own) for place, own in ranks.items()]


def machine_of(environment: Mapping[str, Any]) -> Machine:
    """The GPUs that the installed TensorFlow can use, or why there are none, from the environment of a run."""
    told = hosts_in(environment)
    hosts = [replace(_one_machine(one), host=one["host"]) for _, one in told]
    places = {rank: place for place, (ranks, _) in enumerate(told) for rank in ranks}
    return replace(_one_machine(environment), hosts=hosts, host_of_rank=[places[rank] for rank in sorted(places)])


def _one_machine(environment: Mapping[str, Any]) -> Machine:
    packages = environment["packages"]
    if environment["gpus"] and "tensorflow-cpu" in packages and "tensorflow" not in packages:
        return Machine(no_gpu_reason="tensorflow-cpu cannot use the GPUs that are here; install the extra gpu")
    reasons = [state["unsuited"] for state in environment.get("gpu_states", [])]
    if reasons and all(reasons):
        return Machine(no_gpu_reason=reasons[0])
    return Machine(
        environment["gpus"],
        environment["gpu_capabilities"],
        environment["no_gpu_reason"],
        reasons,
        environment.get("gpu_is_mig_device", False),
        uuids_in(environment),
    )


def own_gpus(cell: Cell, machine: Machine) -> list[str]:
    """The UUIDs of the GPUs that a cell takes, rank by rank; none where those of one of its hosts are not told.

    The workers of a host share its GPUs out in the order of their ranks. A lost GPU lends its number to no other.
    """
    own: dict[int, list[str]] = {}
    each = cell.replicas_per_worker
    for host, ranks in machine.shares(cell.workers) if cell.kind == "gpu" else ():
        for place, rank in enumerate(ranks):
            first = cell.first_gpu + place * each
            own[rank] = host.uuids[first : first + each]
    told = [uuid for rank in sorted(own) for uuid in own[rank]]
    return told if len(told) == cell.replicas else []


def require_tensorflow() -> None:
    """Raise UsageError where there is no TensorFlow."""
    if find_spec("tensorflow") is None:  # looked for, not imported; builds of many names provide it
        raise UsageError("TensorFlow is not installed here, so nothing can be trained; install the extra cpu or gpu")


def unsupported_reason(cell: Cell, machine: Machine) -> str | None:
    """Why this cell cannot be executed on this machine, or None; the first reason that applies."""
    on_gpu, several = cell.kind == "gpu", cell.replicas > 1
    fit, fp16 = cell.engine == "fit", cell.precision == "mixed_float16"
    no_gpu = _no_gpu_for(cell, machine) if on_gpu else None
    known = _capabilities(cell, machine)
    reasons = {
        no_gpu or "": no_gpu is not None,
        f"strategy {cell.strategy} has one replica; use mirrored for {cell.replicas}": (
            several and cell.strategy in {"default", "one_device"}
        ),
        f"strategy {cell.strategy} is of one worker; use multi_worker_mirrored for {cell.workers}": (
            cell.workers > 1 and cell.strategy not in OF_WORKERS
        ),
        f"a worker on CPUs is one replica under {cell.strategy}; give as many workers as replicas": (
            cell.strategy in OF_WORKERS and not on_gpu and cell.replicas != cell.workers
        ),
        f"fit × {cell.strategy}: Keras 3.15's fit fails there; use engine step or fused": (
            fit and cell.strategy in OF_WORKERS
        ),
        **_parameter_server_reasons(cell),
        f"central_storage × {cell.variant} × several replicas: Keras 3.15 assigns moving statistics and dropout seeds "
        "in each replica, which central variables refuse; use mirrored": (
            cell.strategy == "central_storage" and several and cell.variant != "article"
        ),
        "central_storage × mixed_float16 × several replicas: Keras 3.15 assigns the loss scale in each replica, which "
        "central variables refuse; use mixed_bfloat16, or mirrored": (
            cell.strategy == "central_storage" and several and fp16
        ),
        f"all_reduce {cell.all_reduce} is mirrored's; central_storage always reduces to one device": (
            cell.strategy == "central_storage" and cell.all_reduce != "default"
        ),
        f"all_reduce {cell.all_reduce} is mirrored's; multi_worker_mirrored has ring and nccl": (
            cell.strategy == "multi_worker_mirrored" and cell.all_reduce not in {"default", "ring", "nccl"}
        ),
        "tf32 is a mode of NVIDIA tensor cores; a CPU has none": cell.precision == "tf32" and not on_gpu,
        f"tf32 needs compute capability 8.0 (Ampere); its GPUs have {', '.join(known)}": (
            cell.precision == "tf32" and any(float(capability) < 8 for capability in known)
        ),
        f"all_reduce {cell.all_reduce} sums over several replicas of mirrored; here is one": (
            cell.all_reduce != "default" and not several
        ),
        f"all_reduce {cell.all_reduce} is NVIDIA's; on a CPU use ring, hierarchical_copy or reduce_to_one": (
            cell.all_reduce.startswith("nccl") and not on_gpu
        ),
        f"allocator {cell.allocator} is for the memory of GPUs": cell.allocator != "growth" and not on_gpu,
        "oneDNN has kernels for CPUs only; leave onednn at default on a GPU": cell.onednn != "default" and on_gpu,
        "XLA compiles kernels of its own, not oneDNN's; leave onednn at default": cell.onednn == "on" and cell.xla,
        "fit × resident: Keras fit has no place for a look-up inside its step": fit and cell.input == "resident",
        "XLA cannot compile a step whose variables live on several devices": cell.xla and several,
        "fit × mixed_float16 × several replicas: Keras 3.15 checks for infinities before the all-reduce, "
        "so replicas disagree on skipping a step; use engine step or fused": fit and fp16 and several,
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


def _parameter_server_reasons(cell: Cell) -> dict[str, bool]:
    """What parameter servers cannot do, each with whether the cell asks for it."""
    served, several = cell.strategy == "parameter_server", cell.replicas > 1
    half = cell.precision == "mixed_float16"
    reasons = {
        "parameter_server × several GPUs a worker is not built; give as many workers as replicas": (
            cell.replicas != cell.workers
        ),
        "parameter_server × tuned: workers that count Keras's iterations at once lose some, and with them the "
        "schedule its place; use recipe article": cell.recipe == "tuned",
        "parameter_server × mixed_float16 × several workers: Keras 3.15 reads the loss scale twice a step, and another "
        "worker may change it in between; use mixed_bfloat16": half and several,
        "parameter_server × xla: XLA cannot compile a step whose variables live in another process": cell.xla,
        "parameter_server × resident: its variables live on servers, not on a worker's device; use input real or "
        "synthetic": cell.input == "resident",
        f"all_reduce {cell.all_reduce} sums gradients over replicas; parameter_server's replicas apply each its own": (
            cell.all_reduce != "default"
        ),
    }
    only_there = f"{cell.servers} servers are parameter_server's; leave servers out, or use that strategy"
    return {reason: served and asked for reason, asked in reasons.items()} | {
        only_there: not served and cell.servers > 1
    }


_ONE_MIG = "CUDA shows a process one MIG device only; use 1 replica, or whole GPUs"


def _no_gpu_for(cell: Cell, machine: Machine) -> str | None:
    """Why one of its hosts has no GPUs for the workers on it, or None."""
    for host, ranks in machine.shares(cell.workers):
        count, on_host = cell.replicas_per_worker * len(ranks), _on(host)
        wrong_gpu = next(filter(None, host.unsuited[cell.first_gpu : cell.first_gpu + count]), "")
        reasons = {
            f"device gpu{on_host}: {host.no_gpu_reason}": not host.gpus,
            f"{count} replicas{on_host} on MIG: {_ONE_MIG}": host.mig and count > 1,
            _too_few(cell, count, host): len(host.gpus) < cell.first_gpu + count,
            f"device gpu{on_host}: {wrong_gpu}; choose others with CUDA_VISIBLE_DEVICES": wrong_gpu != "",
        }
        if reason := next((reason for reason, applies in reasons.items() if applies), None):
            return reason
    return None


def _too_few(cell: Cell, count: int, host: Machine) -> str:
    if count == 1:
        return f"device {cell.device}: {len(host.gpus)} GPUs are visible{_on(host)}, counted from 0"
    where = host.host or "this machine"
    return f"{count} replicas{_on(host)} need as many GPUs from {cell.first_gpu} on, {where} has {len(host.gpus)}"


def _on(host: Machine) -> str:
    return f" on {host.host}" if host.host else ""


def _capabilities(cell: Cell, machine: Machine) -> list[str]:
    """Of the GPUs that it takes, as far as they are told."""
    own = [
        host.capabilities[cell.first_gpu : cell.first_gpu + cell.replicas_per_worker * len(ranks)]
        for host, ranks in machine.shares(cell.workers)
    ]
    return [capability for capabilities in own for capability in capabilities if capability is not None]
