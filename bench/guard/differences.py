"""In what the environments of runs differ, in words: the first thing to know about a difference in their figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.guard.machines import gpu_words
from bench.report.text import shorten
from bench.store.record import RunRecord

_LONGEST = 80
_MOST = 60
"""Differences that are told one by one; a file may hold any number."""
_NOT_RECORDED = "not recorded"
_ABSENT = {"version of ": "none", "variable ": "not set", "option ": "not given"}
"""What it means that a run which tells of its packages, variables and options does not have this one."""
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


def differences_of(runs: Sequence[RunRecord]) -> Differences:
    """Compare all that the runs say of code, data, machine and software; only what differs is returned."""
    facts = [dict(_facts(run)) for run in runs]
    found, untold = [], []
    for name in dict.fromkeys(name for one in facts for name in one):
        values = tuple(one.get(name) or _absent(name, run) for one, run in zip(facts, runs, strict=True))
        told = {value for value in values if value != _NOT_RECORDED}
        if len(told) > 1:
            found.append(Difference(name, values))
        elif len(set(values)) > 1:
            untold.append(name)
    return Differences(tuple(found[:_MOST]), tuple(untold[:_MOST]), max(len(found) - _MOST, 0))


def _facts(run: RunRecord) -> Iterator[tuple[str, str]]:
    """Names and words of everything that can change a figure."""
    environment = run.environment
    yield "data set (SHA-256)", shorten(run.data_sha256, 12)
    for name, value in environment.items():
        if name not in _PASSING | _TOLD_ELSEWHERE:
            yield _named(name, value)
    if isinstance(gpus := environment.get("gpus"), list):
        yield "GPUs", gpu_words(gpus) or "none"
    yield from _gpu_facts(environment.get("gpu_states"))
    for prefix in _ABSENT:
        inner = _group(prefix, run)
        if isinstance(inner, Mapping):
            yield from ((f"{prefix}{shorten(str(name), _LONGEST)}", _words(value)) for name, value in inner.items())
    yield from _load(environment)
    yield "time budget of a trial (s)", _words(run.trial_budget_s)


def _group(prefix: str, run: RunRecord) -> object:
    """Where the facts of a prefix stand; anything may stand there."""
    if prefix == "option ":
        return run.launched
    return run.environment.get("packages" if prefix == "version of " else "variables")


def _absent(name: str, run: RunRecord) -> str:
    """The word for a fact that a run does not have."""
    prefix = next((prefix for prefix in _ABSENT if name.startswith(prefix)), None)
    return _ABSENT[prefix] if prefix and isinstance(_group(prefix, run), Mapping) else _NOT_RECORDED


def _named(name: str, value: object) -> tuple[str, str]:
    """Memory in whole GiB, because kernels keep some of it for themselves."""
    if name == "memory_bytes" and isinstance(value, int):
        return "memory (GiB)", f"{value / 2**30:.0f}"
    return shorten(name.replace("_", " "), _LONGEST), _words(value)


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
