"""What a trial of 100 s on two CPUs is said to have suffered."""

from typing import Any

import pytest

from bench.host import Conditions
from bench.measure.suffering import suffered

BEFORE: dict[str, Any] = {
    "clock_s": 1000.0, "cpus": 2, "busy_s": 5000.0, "steal_s": 30.0, "pressure_memory_s": 2.0, "throttled_s": 1.0,
    "frequency_mhz": 3400.0, "swapped_in_bytes": 2**30, "heat_throttles": 4, "pressure_cpu_s": 0.0, "load_1min": 0.1,
    "pressure_io_s": 1.0,
}  # fmt: skip
QUIET = BEFORE | {
    "clock_s": 1100.0,
    "busy_s": 5180.0,
    "frequency_mhz": 3300.0,
    "pressure_cpu_s": 90.0,
    "pressure_io_s": 9.0,
    "load_1min": 2.2,
}
"""100 s later; of 200 CPU seconds the trial's own 175 s and 5 s of others were used."""


def flags(own_cpu_s: float | None = 175.0, **changes: Any) -> list[str]:
    return suffered(Conditions(**BEFORE), Conditions(**QUIET | changes), own_cpu_s)


def test_quiet_trial_suffered_nothing() -> None:
    """A worker that keeps both CPUs busy, lets its threads wait for them, and was read from a disk, is no sufferer."""
    assert flags() == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"steal_s": 54.0}, "steal: 12 % of CPU time"),
        ({"own_cpu_s": 110.0}, "other programs used 0.7 of 2 CPUs"),
        ({"throttled_s": 13.0}, "throttled by its cgroup: 0.12 CPUs stood still on average"),
        ({"pressure_memory_s": 4.1}, "waited for memory 2.1 s (memory pressure)"),
        ({"frequency_mhz": 2100.0}, "frequency fell from 3,400 to 2,100 MHz"),
        ({"swapped_in_bytes": 2**30 + 120 * 2**20}, "swapped in 120 MiB"),
        ({"heat_throttles": 7}, "the CPU throttled for heat 3 times"),
        ({"heat_throttles": 5}, "the CPU throttled for heat 1 time"),
    ],
)
def test_each_harm_alone_is_told_with_its_amount(changes: dict[str, Any], told: str) -> None:
    """One harm is one line, worked out by hand."""
    assert flags(**changes) == [told]


def test_clock_of_an_idle_moment_says_nothing_where_idling_lowers_it() -> None:
    """Under a governor that saves power, two readings between the windows differ by themselves."""
    assert flags(frequency_mhz=2100.0, governor="schedutil") == []
    assert len(flags(frequency_mhz=2100.0, governor="performance")) == 1


@pytest.mark.parametrize(
    ("spoilt", "just_below"),
    [
        ({"steal_s": 34.0}, {"steal_s": 33.9}),
        ({"own_cpu_s": 170.0}, {"own_cpu_s": 170.1}),
        ({"throttled_s": 2.0}, {"throttled_s": 1.9}),
        ({"pressure_memory_s": 3.0}, {"pressure_memory_s": 2.9}),
        ({"frequency_mhz": 2720.0}, {"frequency_mhz": 2730.0}),
        ({"swapped_in_bytes": 2**30 + 2**24}, {"swapped_in_bytes": 2**30 + 2**24 - 1}),
    ],
)
def test_thresholds(spoilt: dict[str, Any], just_below: dict[str, Any]) -> None:
    """2 % steal, 5 % of the CPUs, 1 % of one CPU or of the time, a fifth of the clock, 16 MiB: from there on."""
    assert len(flags(**spoilt)) == 1
    assert flags(**just_below) == []


def test_unknown_is_not_told() -> None:
    """Without the worker's own seconds, or with counters that are missing or were reset, nothing is claimed."""
    assert flags(own_cpu_s=None, busy_s=5200.0) == []
    assert suffered(Conditions(clock_s=1.0), Conditions(clock_s=101.0), 1.0) == []
    reset = dict.fromkeys(("busy_s", "steal_s", "pressure_memory_s", "throttled_s"), 0.0)
    assert flags(**reset, swapped_in_bytes=0, heat_throttles=0) == []


def test_clock_that_stood_still() -> None:
    """A stored pair without time in between divides nothing."""
    assert flags(clock_s=1000.0, steal_s=90.0) == []
