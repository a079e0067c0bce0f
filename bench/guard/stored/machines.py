"""What a run's environment says of its machine; whoever wrote it may have left out anything."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bench.measure.identity import known_unit
from bench.report.text import shorten

_LONGEST = 60


def machine_words(environment: Mapping[str, Any]) -> str:
    """The machine in a few words: its GPUs, or else its CPU and how many of them are usable."""
    gpus = environment.get("gpus")
    if isinstance(gpus, list) and gpus:
        return gpu_words(gpus)
    model, cpus = environment.get("cpu_model"), environment.get("usable_cpus")
    words = shorten(model, _LONGEST) if isinstance(model, str) else "unknown CPU"
    return f"{words}, {cpus} CPUs" if isinstance(cpus, int) else words


def gpu_words(gpus: Sequence[object]) -> str:
    """How many there are of each model."""
    counts = Counter(str(gpu) for gpu in gpus)
    return shorten(" + ".join(f"{count} × {name}" for name, count in sorted(counts.items())), _LONGEST)


def same_unit(environments: Sequence[Mapping[str, Any]]) -> str | None:
    """The exact unit that all of them ran on; None if they differ, or one is not known."""
    units = {known_unit(environment) for environment in environments}
    return units.pop() if len(units) == 1 else None


def text_of(environment: Mapping[str, Any], name: str) -> str | None:
    """A fact that is a text, on one line; None where it is none."""
    value = environment.get(name)
    return shorten(value, _LONGEST) if isinstance(value, str) and value else None
