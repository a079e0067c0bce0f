"""What of the GPUs would spoil a measurement, each with the command that mends it: printed, never run."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.measure.builds import build_of, cudnn_too_new, driver_too_old

_NEAR_SLOWDOWN_C = 10
_HOT_C = 80
"""Where the card tells no temperature at which it slows down."""
_ECC = "look at nvidia-smi -q -d ECC, and reset the GPU with: sudo nvidia-smi --gpu-reset"
_REFUSALS = {
    "mismatch": "the driver was updated under a running one; restart the machine",
    "Permission": "this user may not ask the driver; see who may read and write /dev/nvidia*",
    "did not answer": "the driver hangs; look at dmesg for Xid errors, and restart the machine",
    "hides every GPU": "unset it, or name GPUs of nvidia-smi -L",
}
State = Mapping[str, Any]


def gpu_spoilers(environment: Mapping[str, Any]) -> list[str]:
    """One line for each fault, with the GPUs that have it by their numbers in nvidia-smi."""
    states: Sequence[State] = environment.get("gpu_states") or []
    build = build_of(environment.get("packages") or {})
    found = [driver_too_old(environment.get("driver"), build)] if states else [_refusal(environment)]
    found += environment.get("gpu_notes") or []
    faults: dict[tuple[str, str], list[int]] = {}
    for state in states:
        dropped = cudnn_too_new(state["capability"], environment.get("packages") or {})
        older = [(f"{dropped}pip install 'nvidia-cudnn-cu12<9.11'", "")] if dropped else []
        for one in [*_faults(state), *older]:
            faults.setdefault(one, []).append(state["index"])
    for (fault, mend), numbers in faults.items():
        places = ",".join(map(str, dict.fromkeys(numbers)))
        found.append(f"GPU {places}: {fault}" + (f"{mend} -i {places}" if mend else ""))
    return [line for line in [*found, *_mixed(states)] if line]


def _refusal(environment: Mapping[str, Any]) -> str:
    """What a driver says that is there and tells no GPU; a machine without one has nothing to mend."""
    reason = environment.get("no_gpu_reason") or ""
    return next((f"{reason}: {mend}" for word, mend in _REFUSALS.items() if word in reason), "")


def _faults(state: State) -> Iterator[tuple[str, str]]:
    """What is wrong with one GPU, and the command against it, which lacks only the GPU's number."""
    if state["unsuited"]:
        yield f"cannot be used: {state['unsuited']}", ""
    if state["persistence"] is False:
        yield "persistence mode is off, so each trial waits for the driver to load: ", "sudo nvidia-smi -pm 1"
    limit, default = state["power_limit_w"], state["default_power_limit_w"]
    if limit is not None and default is not None and limit < default:
        yield f"capped at {limit:g} W of {default:g} W: ", f"sudo nvidia-smi -pl {default:g}"
    slowdown, now = state["slowdown_temperature_c"], state["temperature_c"]
    if now is not None and now >= (_HOT_C if slowdown is None else slowdown - _NEAR_SLOWDOWN_C):
        yield f"hot ({now} °C): clocks will fall; wait, or see to its cooling", ""
    if state["ecc_errors"]:
        yield f"{state['ecc_errors']} uncorrected ECC errors since the driver was loaded: ", _ECC
    if state["compute_mode"] == "prohibited":
        yield "no process may compute: ", "sudo nvidia-smi -c DEFAULT"
    if state["compute_mode"] == "exclusive process":
        yield "one process at a time, so two settings cannot be compared on it: ", "sudo nvidia-smi -c DEFAULT"


def _mixed(states: Sequence[State]) -> Iterator[str]:
    """Replicas wait for the slowest one."""
    models: dict[str, list[int]] = {}
    for state in states:
        models.setdefault(state["name"], []).append(state["index"])
    if len(models) > 1:
        told = ", ".join(f"{name} (GPU {','.join(map(str, numbers))})" for name, numbers in models.items())
        commonest = Counter(state["name"] for state in states).most_common(1)[0][0]
        mend = f"CUDA_VISIBLE_DEVICES={','.join(map(str, models[commonest]))}"
        yield f"GPUs of several models: {told}; replicas wait for the slowest: take one model with {mend}"


def clock_advice(environment: Mapping[str, Any]) -> list[str]:
    """How to hold the clocks of each model: nothing is wrong with free ones, but figures wander with them."""
    models: dict[tuple[str, int], list[str]] = {}
    for state in environment.get("gpu_states") or []:
        if (clock := state["max_sm_clock_mhz"]) is not None and not state["mig"]:  # others have the rest of that GPU
            models.setdefault((state["name"], clock), []).append(str(state["index"]))
    return [
        f"clocks of {name} follow load and heat; hold them with: sudo nvidia-smi -i {','.join(numbers)} "
        f"-lgc {clock},{clock} (lower where power or heat caps that), and let go with -rgc instead"
        for (name, clock), numbers in models.items()
    ]
