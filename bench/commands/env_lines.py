"""Every fact that `bench env --all` prints: those of the machine, of each GPU, and the ways between them."""

from collections.abc import Iterator, Mapping, Sequence
from math import comb
from typing import Any

_APART = {"gpu_states", "gpu_links", "gpu_capabilities", "gpu_is_mig_device"}
_NAME_WIDTH = 26


def environment_lines(environment: Mapping[str, Any]) -> Iterator[str]:
    """Every line, in order."""
    yield from (_line(name, value) for name, value in environment.items() if name not in _APART)
    for place, state in enumerate(environment.get("gpu_states") or []):
        yield ""
        yield from _gpu_lines(place, state, environment["wheel_cuda"])
    if links := environment.get("gpu_links"):
        yield ""
        yield from _link_lines(links)


def _gpu_lines(place: int, state: Mapping[str, Any], wheel_cuda: str | None) -> list[str]:
    """One GPU in CUDA's numbering; what it does not tell is unknown."""
    known = wheel_cuda is not None and state["capability"] is not None
    why_not = state["unsuited"]
    facts = {
        f"GPU {place}": state["name"],
        "uuid": state["uuid"] or None,
        "number in nvidia-smi": state["index"],
        "compute capability": state["capability"],
        "TensorFlow can use it": (f"no: {why_not}" if why_not else "yes") if known else None,
        "its memory": _unit(state["memory_bytes"], "bytes"),
        "MIG": _switch(state["mig"]),
        "ECC": _switch(state["ecc"]),
        "uncorrected ECC errors": state["ecc_errors"],
        "persistence mode": _switch(state["persistence"]),
        "compute mode": state["compute_mode"],
        "SM clock": _of(state["sm_clock_mhz"], state["max_sm_clock_mhz"], "MHz"),
        "power limit": _of(state["power_limit_w"], state["default_power_limit_w"], "W"),
        "temperature": _of(state["temperature_c"], state["slowdown_temperature_c"], "°C"),
        "NVLinks up": state["nvlinks"],
        "CPUs of its NUMA node": state["cpus"],
    }
    return [_line(name, value) for name, value in facts.items()]


def _link_lines(links: Mapping[str, Sequence[str]]) -> Iterator[str]:
    pairs = [pair for found in links.values() for pair in found]
    places = {place for pair in pairs for place in pair.split("-")}
    for path, found in links.items():
        every = len(found) == comb(len(places), 2) > 1
        yield _line("GPUs joined by", f"{path}: {'all pairs' if every else ', '.join(found)}")


def _line(name: str, value: object) -> str:
    return f"{name.replace('_', ' '):{_NAME_WIDTH}}{_words(value)}"


def _switch(on: bool | None) -> str | None:
    return None if on is None else "on" if on else "off"


def _unit(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:,.15g} {unit}"


def _of(value: float | None, highest: float | None, unit: str) -> str | None:
    """A value and its limit, either of which may be unknown."""
    if value is None and highest is None:
        return None
    return f"{_words(value)} of {_words(highest)} {unit}"


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {version}" for name, version in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, float):
        return f"{value:,.6g}"
    return "unknown" if value is None else f"{value:,}" if type(value) is int else str(value)
