"""Two keys that tell machines apart: the machine class describes, the exact unit judges."""

import hmac
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.measure.cgroups import read_text
from bench.measure.cpus import cpu_facts

_LIBRARIES = ("tensorflow", "tensorflow-cpu", "keras", "numpy")
_HOUSE = Path(__file__).parents[2]
_MEASURED = ("mnist_cnn", "bench/worker")
_MACHINE_ID = re.compile(r"[0-9a-f]{32}")
_UNIT = re.compile(r"[0-9a-f]{8,128}")
_CPU_FACTS = (
    *("vendor_id", "cpu family", "model", "model name", "stepping"),
    *("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision"),
)
"""What /proc/cpuinfo tells of the kind on x86 and on ARM; the rest changes with time, kernel or microcode."""
_PURPOSE = b"mnist-cnn-bench exact unit\n"
NO_EXACT_UNIT = "neither a machine id nor a GPU's UUID can be read; make one with: systemd-machine-id-setup"


def machine_class(environment: Mapping[str, Any]) -> dict[str, str | int]:
    """What two machines must share for their figures to describe one kind: facts, and under `id` their hash.

    `id` is 12 hex digits of the SHA-256 of all the other entries. Memory is in whole GiB, because kernels keep
    some of it for themselves; of Python's version the patch is left out. What is not known or not installed has
    no entry.
    """
    counts = Counter(environment["gpus"])
    memory_bytes, packages = environment["memory_bytes"], environment["packages"]
    facts = {
        "cpu_model": environment["cpu_model"],
        "usable_cpus": environment["usable_cpus"],
        "memory_gib": round(memory_bytes / 2**30),
        "gpus": " + ".join(f"{count} × {name}" for name, count in sorted(counts.items())) or "none",
        "driver": environment["driver"],
        "python": ".".join(environment["python"].split(".")[:2]),
        **{name: packages.get(name) for name in _LIBRARIES},
    }
    known = {name: fact for name, fact in facts.items() if fact is not None}
    return {"id": sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:12], **known}


def code_sha256(house: Path = _HOUSE) -> str | None:
    """The SHA-256 of what is measured: every Python file of the workload and of the worker, by place and content.

    None where there are none, as in a package that keeps no sources.
    """
    digest = sha256()
    sources = sorted(path for part in _MEASURED for path in (house / part).rglob("*.py"))
    for path in sources:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(house).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest() if sources else None


def joint_class(classes: Sequence[Mapping[str, str | int]]) -> dict[str, str | int]:
    """The class of hosts that train together; of one host its own. A fact in which they differ names every value."""
    if len(classes) == 1:
        return dict(classes[0])
    names = dict.fromkeys(name for one in classes for name in one if name != "id")
    values = {name: sorted({str(one.get(name, "none")) for one in classes}) for name in names}
    alike = {name: classes[0].get(name, "none") for name in names if len(values[name]) == 1}
    told = {name: alike.get(name, " or ".join(values[name])) for name in names}
    ids = json.dumps(sorted(str(one.get("id")) for one in classes))
    return {"id": sha256(ids.encode()).hexdigest()[:12], "hosts": len(classes), **told}


def joint_unit(units: Sequence[str | None]) -> str | None:
    """The exact unit of hosts that train together, in any order; of one host its own, None where one has none."""
    known = sorted(unit for unit in units if unit is not None)
    if len(known) < len(units) or not known:
        return None
    return known[0] if len(known) == 1 else sha256(_PURPOSE + "\n".join(known).encode()).hexdigest()[:16]


def exact_unit(gpu_uuids: Sequence[str], root: Path = Path("/")) -> str | None:
    """16 hex digits for this very machine and its usable GPUs, in any order; None where neither tells who it is.

    machine-id(5) asks that the id itself never leaves the machine: this is an HMAC-SHA256 keyed by it, over a
    constant of ours, the UUIDs, and the kind and number of CPUs. In a container the id may be empty, which is taken as
    unreadable, or baked into an image, as that of a virtual machine may be: then all that run this image on CPUs of one
    kind without GPUs are one unit, which nothing here can tell.
    """
    machine_id = _machine_id(root)
    if machine_id is None and not gpu_uuids:
        return None
    told = _PURPOSE + "\n".join([*sorted(gpu_uuids), *_cpu_kind(root)]).encode()
    return hmac.new((machine_id or "").encode(), told, sha256).hexdigest()[:16]


def _cpu_kind(root: Path) -> list[str]:
    """Maker, family, model and stepping of the CPUs as Linux tells them, and how many there are."""
    told = cpu_facts(root)
    count = sum(line.startswith("processor") for line in (read_text(root / "proc/cpuinfo") or "").splitlines())
    return [f"{name} {told[name]}" for name in _CPU_FACTS if name in told] + [f"{count} CPUs"] * bool(count)


def known_unit(environment: Mapping[str, Any]) -> str | None:
    """The exact unit that an environment tells, fit to be a file's name whoever wrote it; None where it tells none."""
    unit = environment.get("exact_unit")
    return unit if isinstance(unit, str) and is_unit(unit) else None


def is_unit(word: str) -> bool:
    """Whether a word has the form of an exact unit."""
    return _UNIT.fullmatch(word) is not None


def _machine_id(root: Path) -> str | None:
    """The first of both files that holds an id; early in a boot one may read `uninitialized`."""
    for name in ("etc/machine-id", "var/lib/dbus/machine-id"):
        text = read_text(root / name) or ""
        if _MACHINE_ID.fullmatch(text):
            return text
    return None
