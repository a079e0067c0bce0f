"""What of the host would spoil a measurement, and what speaks for it: each check says one or the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.host import Conditions

_LOADED = 0.2
"""Of the CPUs: what other programs may take before it shows."""
_LEAST_MEMORY_BYTES = 2 * 2**30
_STOLEN = 0.01


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: the `fault` with its mend, or else what is `good`; neither where it is not told.

    `advice` is for what was found in the past and may come again.
    """

    fault: str = ""
    good: str = ""
    advice: str = ""


def host_checks(environment: Mapping[str, Any]) -> list[Check]:
    """All that an environment tells by itself."""
    return [_load(environment), _governor(environment), _limit(environment), _others(environment), _memory(environment)]


def since_boot(now: Conditions) -> list[Check]:
    """What counters tell of the time since the machine was started."""
    return [_stolen(now), _heat(now)]


def _load(environment: Mapping[str, Any]) -> Check:
    load, cpus = environment["load_1min"], environment["usable_cpus"]
    told = f"load is {load:.1f} on {cpus} CPUs"
    if load > _LOADED * cpus:
        return Check(fault=f"{told}: other programs are running; stop them or wait")
    return Check(good=f"{told}: little else is running")


def _governor(environment: Mapping[str, Any]) -> Check:
    governor = environment["cpu_governor"]
    if governor is None:
        return Check()
    if governor == "performance":
        return Check(good="CPU governor is performance: clocks are held up")
    return Check(f"CPU governor is {governor}: clocks will wander; mend with: cpupower frequency-set -g performance")


def _limit(environment: Mapping[str, Any]) -> Check:
    limit, cpus = environment["cpu_limit"], environment["usable_cpus"]
    if limit is not None and limit < cpus:
        return Check(f"a cgroup allows {limit:g} CPUs of {cpus}: training will be throttled; set cpu_threads to fit")
    return Check(good="no cgroup withholds CPU time")


def _others(environment: Mapping[str, Any]) -> Check:
    """Who computes on the GPUs."""
    if busy := environment.get("gpu_processes"):
        return Check(f"GPUs are in use by process {', '.join(busy)}: wait, or run beside them with --allow-busy")
    return Check(good="no other process computes on the GPUs" if environment.get("gpus") else "")


def _memory(environment: Mapping[str, Any]) -> Check:
    available = environment["memory_available_bytes"]
    if available < _LEAST_MEMORY_BYTES:
        return Check(fault="less than 2 GiB of memory are available: close other programs")
    return Check(good=f"{available / 2**30:.1f} GiB of memory are available")


def _stolen(now: Conditions) -> Check:
    """Of the CPU time that was wanted, how much a hypervisor gave to other machines."""
    if now.busy_s is None or now.steal_s is None:
        return Check()
    share = now.steal_s / (now.busy_s + now.steal_s) if now.steal_s else 0.0
    if share > _STOLEN:
        return Check(
            advice=f"the hypervisor gave {100 * share:.0f} % of the CPU time wanted here to others since boot: each "
            "row tells what it lost; repeat in fresh processes with --repeats 3, or use a host of your own"
        )
    return Check(good="no hypervisor took CPU time away since boot, or less than 1 %")


def _heat(now: Conditions) -> Check:
    if not now.heat_throttles:
        return Check(good="" if now.heat_throttles is None else "heat has slowed no CPU down since boot")
    return Check(advice=f"heat slowed a CPU down {now.heat_throttles:,} times since boot: see to its cooling")
