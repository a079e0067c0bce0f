"""One environment for the hosts that a run trains on: what they share once, and of each what differs."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.host import named_hosts, uuids_in
from bench.measure.identity import NO_EXACT_UNIT, joint_class, joint_unit

_OWN = ("host", "exact_unit", "no_exact_unit_reason", "machine_class")
"""Every one of several hosts has its own, since those of the run are of all of them together."""
_OF_PARENT = ("host", "system", "python", "packages", "git_commit", "git_dirty", "code_sha256")
_TELLING = (
    *("gpus", "gpu_capabilities", "driver", "cpu_model", "cpu_flags_low_precision", "usable_cpus", "cpu_limit"),
    *("cpu_governor", "memory_gib", "memory_limit_gib", "system", "python", "packages", "variables", "git_commit"),
    "container",
)
"""What makes one host train otherwise than another."""
_MOST_TOLD = 8

Told = tuple[list[int], dict[str, Any]]
"""Ranks, and what the host that they start on says it is."""


def joint_environment(told: Sequence[Told], parent: Mapping[str, Any]) -> dict[str, Any]:
    """The environment of a run of these hosts, rank 0's first: its facts, with `hosts` and, in short, the `parent`.

    `hosts` has for each host its ranks and those facts in which it differs from the first (bench.host.hosts_in puts
    them together again); the identities are of all of them together. Places that call themselves the same host and
    have the same GPUs are one.
    """
    hosts: dict[tuple[str, ...], Told] = {}
    for ranks, one in told:
        known = hosts.setdefault((one["host"], *uuids_in(one)), ([], one))
        known[0].extend(ranks)
    first = next(iter(hosts.values()))[1]
    own = _OWN if len(hosts) > 1 else _OWN[:1]
    entries = [
        {"ranks": sorted(ranks)} | {name: one[name] for name in one if name in own or one[name] != first.get(name)}
        for ranks, one in hosts.values()
    ]
    unit = joint_unit([one["exact_unit"] for _, one in hosts.values()])
    identity = {
        "exact_unit": unit,
        "no_exact_unit_reason": NO_EXACT_UNIT if unit is None else "",
        "machine_class": joint_class([one["machine_class"] for _, one in hosts.values()]),
    }
    return first | identity | {"hosts": entries, "parent": {name: parent.get(name) for name in _OF_PARENT}}


def differences(environment: Mapping[str, Any]) -> list[str]:
    """In what the hosts of a run differ, a line for each fact, and whether the parent's code is another than theirs."""
    hosts = named_hosts(environment)
    lines = []
    for name in _TELLING:
        values: dict[str, list[str]] = {}
        for (host, _), words in zip(hosts, _in_words([_fact(one, name) for _, one in hosts]), strict=True):
            values.setdefault(words, []).append(host)
        if len(values) > 1:
            told = [f"{words} on {_some(which)}" for words, which in values.items()]
            lines.append(f"hosts differ in {name}: {'; '.join(told[:_MOST_TOLD])}")
    return [*lines, *_of_other_code(environment)]


def _of_other_code(environment: Mapping[str, Any]) -> list[str]:
    """Whether who plans and leads has other code of what is measured than the hosts, which all have the same."""
    parent = environment.get("parent")
    if not isinstance(parent, Mapping):
        return []
    led_by, trained = parent.get("code_sha256"), environment.get("code_sha256")
    if led_by is None or trained is None or led_by == trained:
        return []
    return [f"the code on {parent.get('host')}, which leads, is not that of the hosts: install the same there"]


def _fact(one: Mapping[str, Any], name: str) -> object:
    if name != "memory_gib":
        return one.get(name)
    size = one.get("memory_bytes")
    return round(size / 2**30) if isinstance(size, int) else None  # kernels keep some for themselves


def _in_words(facts: Sequence[object]) -> list[str]:
    """A fact of each host; of tables only the entries in which not all are alike."""
    tables = [fact if isinstance(fact, Mapping) else {} for fact in facts]
    keys = dict.fromkeys(key for table in tables for key in table)
    differ = [key for key in keys if len({str(table.get(key)) for table in tables}) > 1]
    told = [", ".join(f"{key} {table.get(key, 'none')}" for key in differ) for table in tables]
    return [of_table if isinstance(fact, Mapping) else _words(fact) for fact, of_table in zip(facts, told, strict=True)]


def _words(fact: object) -> str:
    if isinstance(fact, list):
        return ", ".join(map(str, fact)) or "none"
    return "unknown" if fact is None else str(fact)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_TOLD} more" if len(names) > _MOST_TOLD else ""
    return ", ".join(names[:_MOST_TOLD]) + more
