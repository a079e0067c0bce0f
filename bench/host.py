"""What a host tells of itself, on either side of the process boundary: its conditions, and its part of a trial."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

MOST = 2.0**63
"""No counter of the kernel's goes further."""
Amount = Annotated[float, Field(ge=0, lt=MOST)]
Number = Annotated[int, Field(ge=0, lt=2**63)]


class Conditions(BaseModel):
    """One reading; None where the system does not tell.

    What grows counts since boot, and of a control group since it was made.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    clock_s: Amount
    """The host's CLOCK_MONOTONIC."""
    cpus: Number | None = None
    """CPUs that this process may use."""
    load_1min: Amount | None = None
    """Load average of the last minute."""
    busy_s: Amount | None = None
    """Seconds in which these CPUs worked, summed over them."""
    steal_s: Amount | None = None
    """Seconds in which the hypervisor gave them to others, summed over them."""
    pressure_cpu_s: Amount | None = None
    """Seconds in which a task waited for a CPU: no harm by itself, a worker's own threads do so too."""
    pressure_memory_s: Amount | None = None
    """Seconds in which a task waited for memory."""
    pressure_io_s: Amount | None = None
    """Seconds in which a task waited for a disk: no harm by itself, the start of a worker does so too."""
    throttled_s: Amount | None = None
    """Seconds in which the control group was held back, summed over CPUs."""
    throttled_periods: Number | None = None
    """Periods in which it was."""
    frequency_mhz: Amount | None = None
    """Mean frequency of these CPUs now."""
    governor: str | None = None
    """What decides their frequency."""
    memory_available_bytes: Number | None = None
    """Memory that could be taken now without swapping."""
    swapped_in_bytes: Number | None = None
    """Bytes that were read back from swap."""
    heat_throttles: Number | None = None
    """How often a core was slowed down for its heat."""


class HostPart(BaseModel):
    """One host's part of a trial."""

    # stored too, so additions are ignored
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, use_attribute_docstrings=True)

    before: Conditions
    """As its first rank was told to prepare."""
    after: Conditions
    """As that said its last word, or its diagnosis began."""
    own_cpu_s: Amount | None = None
    """CPU seconds that the trial's processes took there; null where one did not tell."""
    clock_offset_s: float | None = None
    """How far its CLOCK_MONOTONIC is ahead of rank 0's, which windows are told on; null where none says."""


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
