"""In what the environments of runs differ, in words: the first thing to know about a difference in their figures."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bench.guard.stored.machines import gpu_words
from bench.report.text import shorten
from bench.store.record import RunRecord

_LONGEST = 80
_MOST = 60
"""Differences that are told one by one; a file may hold any number."""
MOST_FACTS = 300
_HASH = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_NOT_RECORDED = "not recorded"
_ABSENT = {"version of ": "none", "variable ": "not set", "option ": "not given"}
"""What it means that a run, all of which tell of packages, variables and options, does not have this one."""
_PASSING = {"load_1min", "memory_available_bytes", "gpu_processes", "gpu_notes", "gpu_links", "no_gpu_reason"}
"""What passes while a machine stays what it is."""
_TOLD_ELSEWHERE = {"machine_class", "no_exact_unit_reason", "packages", "variables", "gpus", "gpu_states"}
_OF_A_GPU = {
    "mig": "MIG",
    "ecc": "ECC",
    "persistence": "persistence mode",
    "compute_mode": "compute mode",
    "power_limit_w": "power limit (W)",
    "max_sm_clock_mhz": "highest SM clock (MHz)",
    "nvlinks": "NVLinks up",
}
_BUSY = 0.2
"""Load for each CPU above which other programs take part in a measurement."""


@dataclass(frozen=True)
class Difference:
    """One fact with its words in each run, in their order."""

    what: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Differences:
    """What differs, what some runs do not tell, and how many more differences there are than are listed."""

    found: tuple[Difference, ...]
    untold: tuple[str, ...]
    more: int = 0


def facts_of(run: RunRecord) -> dict[str, str]:
    """Names and words of everything in code, data, machine and software that can change a figure."""
    return dict(islice(_facts(run), MOST_FACTS))


def differences_of(facts: Sequence[Mapping[str, str]]) -> Differences:
    """Compare the facts of runs; only what differs is returned."""
    found, untold = [], []
    for name in dict.fromkeys(name for one in facts for name in one):
        values = tuple(one.get(name) or _absent(name) for one in facts)
        told = {value for value in values if value != _NOT_RECORDED}
        if len(told) > 1:
            found.append(Difference(name, values))
        elif len(set(values)) > 1:
            untold.append(name)
    return Differences(tuple(found[:_MOST]), tuple(untold[:_MOST]), max(len(found) - _MOST, 0))


def _absent(name: str) -> str:
    """The word for a fact that a run does not have."""
    return next((word for prefix, word in _ABSENT.items() if name.startswith(prefix)), _NOT_RECORDED)


def _facts(run: RunRecord) -> Iterator[tuple[str, str]]:
    environment = run.environment
    yield _named("data_sha256", run.data_sha256)
    for name, value in environment.items():
        if name not in _PASSING | _TOLD_ELSEWHERE:
            yield _named(name, value)
    if isinstance(gpus := environment.get("gpus"), list):
        yield "GPUs", gpu_words(gpus) or "none"
    yield from _gpu_facts(environment.get("gpu_states"))
    groups = (environment.get("packages"), environment.get("variables"), run.launched)
    for prefix, inner in zip(_ABSENT, groups, strict=True):
        if isinstance(inner, Mapping):
            yield from ((f"{prefix}{shorten(str(name), _LONGEST)}", _words(value)) for name, value in inner.items())
    yield from _load(environment)
    yield "time budget of a trial (s)", _words(run.trial_budget_s)


def _named(name: str, value: object) -> tuple[str, str]:
    """Memory in whole GiB, because kernels keep some of it for themselves."""
    if name == "memory_bytes" and isinstance(value, int):
        return "memory (GiB)", f"{value / 2**30:.0f}"
    words = _words(value)
    # of a hash the beginning tells enough, where all of it is one
    return shorten(name.replace("_", " "), _LONGEST), words[:12] if _HASH.fullmatch(words) else words


def _gpu_facts(states: object) -> Iterator[tuple[str, str]]:
    """Each fact of the GPUs' settings once where all have it, else of each in turn."""
    if not isinstance(states, list) or not states or not all(isinstance(state, Mapping) for state in states):
        return
    for name, words in _OF_A_GPU.items():
        values = [_words(state.get(name)) for state in states]
        yield f"GPU {words}", values[0] if len(set(values)) == 1 else shorten(", ".join(values), _LONGEST)


def _load(environment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Only a load that takes part in the measurement."""
    load, cpus = environment.get("load_1min"), environment.get("usable_cpus")
    if isinstance(load, int | float) and isinstance(cpus, int):
        yield "load before the run", f"{load:.1f} on {cpus} CPUs" if load > _BUSY * cpus else "idle"


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return shorten(", ".join(map(str, value)), _LONGEST) or "none"
    return "none" if value in (None, "") else shorten(str(value), _LONGEST)
