"""Waiting for a machine on which nobody else works, and telling when somebody did."""

import os
import time
from collections.abc import Callable

from bench.measure.conditions import read_conditions
from bench.measure.suffering import suffered

BUSY = 0.10
"""Share of the CPUs that others may use."""
LOOK_S = 1.0


def others_share() -> float:
    """The share of the usable CPUs' time that programs took in the last second, while this one slept."""
    before = read_conditions()
    time.sleep(LOOK_S)
    after = read_conditions()
    if before.busy_s is None or after.busy_s is None or not after.cpus:
        return 0.0
    return (after.busy_s - before.busy_s) / ((after.clock_s - before.clock_s) * after.cpus)


def wait_until_quiet(patience_s: float) -> bool:
    """Wait while other load runs, at most so long; whether it is quiet now."""
    deadline = time.monotonic() + patience_s
    while (share := others_share()) > BUSY:
        if time.monotonic() >= deadline:
            return False
        print(f"waiting: other programs use {100 * share:.0f} % of the CPUs", flush=True)
        time.sleep(min(20.0, max(0.0, deadline - time.monotonic())))
    return True


def disturbances() -> Callable[[], list[str]]:
    """Begin to watch; what is returned tells what disturbed this process and its children, which are gone by then."""
    before, used_s = read_conditions(), sum(os.times()[:4])
    return lambda: suffered(before, read_conditions(), sum(os.times()[:4]) - used_s)
