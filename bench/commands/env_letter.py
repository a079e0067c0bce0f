"""`bench env` as a doctor's letter: the machine, what would spoil a measurement and its mend, what is good."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.execute.ceilings import expected_s, measurements_for
from bench.measure.examination import Examination
from bench.plan.support import machine_of
from bench.protocol.answers import CeilingsMeasured
from bench.report.text import shorten, significant
from bench.store.record import Ceilings

_NAME_WIDTH = 12
Fact = tuple[str, str]
"""A name, or `-` for what needs none, and what is to be said."""


@dataclass(frozen=True)
class Section:
    """A heading and what stands beneath it."""

    title: str
    facts: Sequence[Fact]

    def lines(self, width: int | None) -> Iterator[str]:
        """Beneath the heading, each fact wrapped within `width` characters, or in one line where that is None."""
        for name, words in self.facts:
            begin = "- " if name == "-" else f"{name:{_NAME_WIDTH}}"
            if width is None:
                yield begin + words
            else:
                indent = " " * len(begin)
                yield from textwrap.wrap(
                    words, max(width, 2 * _NAME_WIDTH), initial_indent=begin, subsequent_indent=indent,
                    break_long_words=False, break_on_hyphens=False,
                )  # fmt: skip


def letter(
    environment: Mapping[str, Any],
    found: Examination,
    ceilings: Ceilings | None,
) -> list[Section]:
    """All of it; advice on what is no fault stands only where there is some."""
    nothing = ["nothing was found"]
    return [
        Section("This machine", list(_machine(environment))),
        Section("What would spoil a measurement", _listed(found.faults or nothing)),
        *([Section("What would make figures steadier", _listed(found.advice))] if found.advice else []),
        Section("What is good", _listed(found.good or nothing)),
        Section("Ceilings", list(_ceilings(environment, ceilings))),
    ]


def _listed(lines: Sequence[str]) -> list[Fact]:
    return [("-", line) for line in lines]


def _machine(environment: Mapping[str, Any]) -> Iterator[Fact]:
    """The facts that a person asks for first."""
    yield "Host", f"{environment['host']}, {environment['system']}"
    yield "CPU", f"{environment['cpu_model'] or 'unknown'}: {_cpus(environment)}; {_half_precision(environment)}"
    yield "Limits", _limits(environment)
    memory, available = (environment[name] / 2**30 for name in ("memory_bytes", "memory_available_bytes"))
    limit = environment["memory_limit_gib"]
    allowed = "no cgroup limits it" if limit is None else f"a cgroup allows {limit:g} GiB"
    yield "Memory", f"{memory:.1f} GiB, of which {available:.1f} GiB are available; {allowed}"
    yield from _gpus(environment)
    yield "TensorFlow", _tensorflow(environment)
    yield "Container", environment["container"] or "none that shows"
    unit, kind = environment["exact_unit"], environment["machine_class"]["id"]
    yield "Exact unit", f"{unit or environment['no_exact_unit_reason']}, of machine class {kind}"
    if commit := environment["git_commit"]:
        yield "Code", f"commit {commit[:12]}{', with changes that are not committed' * bool(environment['git_dirty'])}"


def _cpus(environment: Mapping[str, Any]) -> str:
    usable, logical = environment["usable_cpus"], environment["logical_cpus"]
    return f"{usable} of {logical} logical CPUs may be used" if usable != logical else f"{usable} logical CPUs"


def _half_precision(environment: Mapping[str, Any]) -> str:
    flags = environment["cpu_flags_low_precision"]
    if flags is None:
        return "whether it computes in half precision is not told"
    return f"computes in half precision ({', '.join(flags)})" if flags else "emulates half precision, slowly"


def _limits(environment: Mapping[str, Any]) -> str:
    limit, governor = environment["cpu_limit"], environment["cpu_governor"]
    allowed = "no cgroup limits the CPUs" if limit is None else f"a cgroup allows {limit:g} CPUs"
    return f"{allowed}; the CPU governor is {governor or 'not told'}"


def _gpus(environment: Mapping[str, Any]) -> Iterator[Fact]:
    """GPUs that are alike in one line."""
    if not environment["gpus"]:
        yield "GPUs", f"none: {environment['no_gpu_reason']}"
        return
    alike = Counter(map(_gpu, environment["gpu_states"])) or Counter(environment["gpus"])
    for told, count in alike.items():
        yield "GPUs", f"{count} × {told}"
    cuda = f", for CUDA up to {environment['driver_cuda']}" if environment["driver_cuda"] else ""
    yield "Driver", f"{environment['driver'] or 'not told'}{cuda}"


def _gpu(state: Mapping[str, Any]) -> str:
    memory = f", {state['memory_bytes'] / 2**30:.0f} GiB" if state["memory_bytes"] else ""
    capability = f", compute capability {state['capability']}" if state["capability"] else ""
    return f"{state['name']}{memory}{capability}{', not usable' * bool(state['unsuited'])}"


def _tensorflow(environment: Mapping[str, Any]) -> str:
    """Its version and build, and what it trains on."""
    packages = environment["packages"]
    version = packages.get("tensorflow") or packages.get("tensorflow-cpu")
    if version is None:
        return f"not installed, Python {environment['python']}: reports work here, training needs the extra cpu or gpu"
    build = "the CPU build" if "tensorflow" not in packages else "of another hand or version, so its CUDA is not known"
    if environment["wheel_cuda"]:
        build = f"built for CUDA {environment['wheel_cuda']} and cuDNN {environment['wheel_cudnn']}"
    machine = machine_of(environment)
    trains = "trains on the GPUs" if machine.gpus else "trains on the CPU"
    return f"{version}, {build}; Keras {packages.get('keras', 'none')}, Python {environment['python']}; {trains}"


def _ceilings(environment: Mapping[str, Any], ceilings: Ceilings | None) -> Iterator[Fact]:
    if ceilings is None:
        wanted = measurements_for(machine_of(environment), environment["usable_cpus"])
        minutes = sum(map(expected_s, wanted)) / 60
        told = "not measured yet, so reports have no MFU and no roofline; measure them once, on an idle machine"
        yield "-", f"{told}, in about {minutes:.0f} min, with: bench env --measure"
        return
    for one in ceilings.measured:
        yield one.device.upper(), _ceiling(one)
    yield "Measured", f"{shorten(ceilings.measured_utc)}; measure again with: bench env --measure"
    yield from (("Caution", f"when they were measured: {line}") for line in map(shorten, ceilings.spoilers))


def _ceiling(one: CeilingsMeasured) -> str:
    threads = f"{one.threads} thread{'s' * (one.threads != 1)}: " if one.threads else ""
    flops = ", ".join(f"{significant(1e-9 * best.value)} {name}" for name, best in one.matmul_flops_per_s.items())
    memory, dispatch = significant(1e-9 * one.memory_bytes_per_s.value), significant(1e6 * one.dispatch_s.value)
    return f"{threads}matmul {flops} GFLOP/s; memory {memory} GB/s; {dispatch} µs a dispatch"
