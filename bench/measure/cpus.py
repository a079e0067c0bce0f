"""The CPUs that this process may run on, and what they can do."""

import os
from contextlib import suppress
from pathlib import Path

ONEDNN_BY_DEFAULT = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}
"""On a CPU with any of these TensorFlow takes oneDNN's kernels unasked (tensorflow/core/util/port.cc)."""


def usable_cpus() -> set[int]:
    """Their numbers. TensorFlow takes as many threads where none are set; taskset or Slurm may leave it few."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def cpu_flags() -> set[str] | None:
    """The instruction sets that Linux names on x86, or None where it names none."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                return set(line.split())
    return None
