"""The CPUs that this process may run on."""

import os


def usable_cpus() -> set[int]:
    """Their numbers. TensorFlow takes as many threads where none are set; taskset or Slurm may leave it few."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
