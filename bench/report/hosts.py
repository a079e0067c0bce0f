"""The hosts that a run trained on, where they were not the parent's machine: a table, and in what they differ."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from bench.host import named_hosts
from bench.measure.joint import differences
from bench.store.record import RunRecord

HEADERS = ["host", "ranks", "CPU", "CPUs", "GPUs", "driver", "TensorFlow", "exact unit"]
_MOST_RANKS = 8


def hosts_lines(environment: Mapping[str, Any]) -> list[list[str]]:
    """A line for each host in the order of its first rank; empty where all was on the parent's machine."""
    return [[name, *_facts(one)] for name, one in named_hosts(environment)]


def hosts_remarks(run: RunRecord) -> list[str]:
    """What a reader must know before he takes them for one machine, or misses a figure."""
    hosts = named_hosts(run.environment)
    if not hosts:
        return []
    remarks = differences(run.environment)
    if run.ceilings is None:
        which = "these hosts together" if len(hosts) > 1 else f"{hosts[0][0]} in this user's cache"
        remarks.append(f"no MFU: ceilings are kept by exact unit, and there are none of {which}")
    return remarks


def _facts(one: Mapping[str, Any]) -> list[str]:
    ranks, gpus = one["ranks"], one.get("gpus")
    more = f" and {len(ranks) - _MOST_RANKS} more" if len(ranks) > _MOST_RANKS else ""
    counts = Counter(map(str, gpus if isinstance(gpus, list) else []))
    packages = one.get("packages") if isinstance(one.get("packages"), Mapping) else {}
    tensorflow = packages.get("tensorflow") or packages.get("tensorflow-cpu") if packages else None
    return [
        ", ".join(map(str, ranks[:_MOST_RANKS])) + more,
        _word(one.get("cpu_model")),
        _word(one.get("usable_cpus")),
        " + ".join(f"{count} × {name}" for name, count in counts.items()),
        _word(one.get("driver")),
        _word(tensorflow),
        _word(one.get("exact_unit")),
    ]


def _word(value: object) -> str:
    return "" if value is None else str(value)
