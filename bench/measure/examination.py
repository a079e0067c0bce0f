"""All that `bench env` has to say of a machine's fitness: its faults with their mends, what is good, and advice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.host import Conditions
from bench.measure.gpu_spoilers import clock_advice, gpu_spoilers
from bench.measure.host_checks import host_checks, since_boot


@dataclass(frozen=True)
class Examination:
    """A line for each finding; `advice` is for what is no fault now but could be steadier."""

    faults: list[str]
    good: list[str]
    advice: list[str]


def examine(environment: Mapping[str, Any], now: Conditions, others: Sequence[str] = ()) -> Examination:
    """Look at what `read_environment` found, at the counters since boot, and at who else computes here just now."""
    checks = [*host_checks(environment), *since_boot(now)]
    of_gpus = gpu_spoilers(environment)
    sound = "every GPU can be used; as far as told none is capped, hot, or has ECC errors"
    good = [check.good for check in checks if check.good]
    return Examination(
        faults=[*(check.fault for check in checks if check.fault), *_told(others), *of_gpus],
        good=[*good, sound] if environment["gpus"] and not of_gpus else good,
        advice=[*(check.advice for check in checks if check.advice), *clock_advice(environment)],
    )


def _told(others: Sequence[str]) -> list[str]:
    return [f"busy just now: {', '.join(others)}; stop what you can spare"] if others else []
