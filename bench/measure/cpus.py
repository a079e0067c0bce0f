"""The CPUs that this process may run on, and what they can do."""

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain, zip_longest
from pathlib import Path

from bench.measure.cgroups import read_text

ONEDNN_BY_DEFAULT = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}
"""On a CPU with any of these TensorFlow takes oneDNN's kernels unasked (tensorflow/core/util/port.cc)."""
Siblings = Callable[[int], set[int]]
"""Of a CPU, those that are threads of its core, itself among them."""


def usable_cpus() -> set[int]:
    """Their numbers. TensorFlow takes as many threads where none are set; taskset or Slurm may leave it few."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def cpu_facts(root: Path = Path("/")) -> dict[str, str]:
    """What Linux tells of its last CPU, by the names in /proc/cpuinfo; empty where it tells nothing."""
    lines = (read_text(root / "proc/cpuinfo") or "").splitlines()
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def cpu_model(root: Path = Path("/")) -> str | None:
    """The CPU's name, with family and model on x86: clouds call generations twice as fast by one name."""
    told = cpu_facts(root)
    kind = [f"{word} {told[name]}" for name, word in (("cpu family", "family"), ("model", "model")) if name in told]
    if name := told.get("model name"):
        return f"{name} ({', '.join(kind)})" if kind else name
    return platform.processor() or None


def cpu_flags() -> set[str] | None:
    """The instruction sets that Linux names on x86, or None where it names none."""
    flags = cpu_facts().get("flags")
    return None if flags is None else set(flags.split())


def siblings(cpu: int, root: Path = Path("/sys/devices/system/cpu")) -> set[int]:
    """The CPUs that are threads of this one's core; itself alone where Linux does not tell."""
    with suppress(OSError, ValueError):
        return cpus_in((root / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip()) | {cpu}
    return {cpu}


def whole_cores(cpus: Iterable[int], siblings: Siblings = siblings) -> set[int]:
    """All CPUs of the cores that these are on."""
    return {one for cpu in cpus for one in siblings(cpu)}


def share_of_cpus(
    usable: Sequence[int], *, threads: int | None, local_rank: int, local_ranks: int, siblings: Siblings = siblings
) -> list[int] | None:
    """The CPUs that one of several workers of a host keeps to, so that none computes on another's; None for all.

    Without a number of threads the workers share out whole cores, or CPUs where there are more workers than cores. A
    worker of so many threads takes as many CPUs, the local_rank-th so many of them, also where it is alone: then it has
    what it would have among others. Each is on a core of its own as long as there are cores. Where there are too few
    CPUs for that, every worker takes them all.
    """
    cores: dict[int, list[int]] = {}
    for cpu in sorted(usable):
        cores.setdefault(min(siblings(cpu)), []).append(cpu)
    if threads is None and local_ranks <= len(cores):
        each = len(cores) // local_ranks
        return sorted(chain(*list(cores.values())[local_rank * each : (local_rank + 1) * each]))
    each = threads or len(usable) // local_ranks
    if not 0 < each * local_ranks <= len(usable):
        return None
    order = [cpu for turn in zip_longest(*cores.values()) for cpu in turn if cpu is not None]
    return sorted(order[local_rank * each : (local_rank + 1) * each])


def cpu_words(cpus: Sequence[int]) -> str:
    """The numbers as Linux lists them, e.g. 0-3,7."""
    runs: list[list[int]] = []
    for cpu in sorted(cpus):
        if runs and cpu == runs[-1][-1] + 1:
            runs[-1].append(cpu)
        else:
            runs.append([cpu])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def cpus_in(words: str) -> set[int]:
    """The numbers of such a list."""
    spans = [span.partition("-") for span in words.split(",") if span]
    return {cpu for first, _, last in spans for cpu in range(int(first), int(last or first) + 1)}


def apart(places: Sequence[str]) -> bool:
    """Whether none of these workers, each told as its host and its CPUs (`node1 0-3`), has a CPU of another."""
    taken = [(host, cpu) for host, _, words in (place.rpartition(" ") for place in places) for cpu in cpus_in(words)]
    return len(taken) == len(set(taken))
