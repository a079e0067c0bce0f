"""What a host tells of itself, on either side of the process boundary: its conditions, and its part of a trial."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

MOST = 2.0**63
"""No counter of the kernel's goes further."""
Amount = Annotated[float, Field(ge=0, lt=MOST)]
Number = Annotated[int, Field(ge=0, lt=2**63)]


class Conditions(BaseModel):
    """One reading; None where the system does not tell. All but the clock, load and frequency count since boot.

    `busy_s` and `steal_s` are summed over the `cpus` that this process may use; steal is what the hypervisor gave
    to others. Pressure is the time in which at least one task waited (`some`) for a CPU, memory or a disk: that of
    the CPU and of disks is no harm by itself, since a worker's own threads and its start cause it too.
    `throttled_s` is summed over CPUs.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)

    clock_s: Amount
    cpus: Number | None = None
    load_1min: Amount | None = None
    busy_s: Amount | None = None
    steal_s: Amount | None = None
    pressure_cpu_s: Amount | None = None
    pressure_memory_s: Amount | None = None
    pressure_io_s: Amount | None = None
    throttled_s: Amount | None = None
    throttled_periods: Number | None = None
    frequency_mhz: Amount | None = None
    governor: str | None = None
    memory_available_bytes: Number | None = None
    swapped_in_bytes: Number | None = None
    heat_throttles: Number | None = None


class HostPart(BaseModel):
    """One host's part of a trial: its conditions as its first rank was told to prepare and as it said its last word.

    `own_cpu_s` are the CPU seconds that the trial's processes took there, None where one did not tell.
    `clock_offset_s` is how far its CLOCK_MONOTONIC is ahead of that of rank 0's host, which windows are told on; None
    where no window says.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)  # stored too, so additions are ignored

    before: Conditions
    after: Conditions
    own_cpu_s: Amount | None = None
    clock_offset_s: float | None = None


def hosts_in(environment: Mapping[str, Any]) -> list[tuple[list[int], dict[str, Any]]]:
    """The hosts of a run's environment: the ranks that started there, and what each was.

    Empty where all was on the parent's machine. A file from others may hold anything: what is no host is left out.
    """
    entries = environment.get("hosts")
    shared = {name: value for name, value in environment.items() if name not in {"hosts", "parent"}}
    return [
        (entry["ranks"], shared | entry)
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("host"), str) and _are_ranks(entry.get("ranks"))
    ]


def _are_ranks(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(rank, int) and rank >= 0 for rank in value) and bool(value)


def uuids_in(environment: Mapping[str, Any]) -> list[str]:
    """Of the visible GPUs, as CUDA numbers them; none where one of them is not told, or the file is damaged."""
    states = environment.get("gpu_states")
    told = [state.get("uuid") for state in states if isinstance(state, dict)] if isinstance(states, list) else []
    known = [uuid for uuid in told if isinstance(uuid, str) and uuid]
    return known if len(known) == len(told) else []


def named_hosts(environment: Mapping[str, Any]) -> Sequence[tuple[str, dict[str, Any]]]:
    """Each host's name, with its first rank where another has the same, and what it was."""
    found = hosts_in(environment)
    names = [one["host"] for _, one in found]
    return [
        (one["host"] if names.count(one["host"]) == 1 else f"{one['host']} (rank {ranks[0]})", one)
        for ranks, one in found
    ]
