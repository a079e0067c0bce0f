"""The conditions of a trial: what the machine's counters stood at before and after it, and what it suffered.

All is of the machine that reads. A counter says nothing alone; two readings of it say what happened in between.
"""

import math
import os
import time
from collections.abc import Iterator, Set
from contextlib import suppress
from pathlib import Path

from bench.host import MOST, Conditions
from bench.measure.cgroups import cpu_throttled, read_text
from bench.measure.cpus import usable_cpus


def read_conditions(root: Path = Path("/"), cpus: Set[int] | None = None) -> Conditions:
    """Read the counters below `root`; `cpus` are the CPUs that matter, else those this process may use.

    Never raises: what is missing, torn or nonsense is None. Sources: proc(5), the kernel's accounting/psi and
    cpu-freq documentation.
    """
    cpus = usable_cpus() if cpus is None else cpus
    busy_s, steal_s = _busy_and_steal_s(root, cpus)
    throttled_s, throttled_periods = cpu_throttled(root)
    return Conditions(
        clock_s=time.monotonic(),
        cpus=len(cpus) or None,
        load_1min=_amount((read_text(root / "proc/loadavg") or "").partition(" ")[0]),
        busy_s=busy_s,
        steal_s=steal_s,
        pressure_cpu_s=_pressure_s(root, "cpu"),
        pressure_memory_s=_pressure_s(root, "memory"),
        pressure_io_s=_pressure_s(root, "io"),
        throttled_s=throttled_s,
        throttled_periods=throttled_periods,
        frequency_mhz=_frequency_mhz(root, cpus),
        governor=read_text(_cpu(root, min(cpus, default=0)) / "cpufreq/scaling_governor") or None,
        memory_available_bytes=_bytes(_named(root / "proc/meminfo", "MemAvailable:"), 1024),
        swapped_in_bytes=_bytes(_named(root / "proc/vmstat", "pswpin"), os.sysconf("SC_PAGE_SIZE")),
        heat_throttles=_heat_throttles(root),
    )


def _cpu(root: Path, number: int) -> Path:
    return root / f"sys/devices/system/cpu/cpu{number}"


def _busy_and_steal_s(root: Path, cpus: Set[int]) -> tuple[float | None, float | None]:
    """Seconds in user, nice, system and both kinds of interrupt, and stolen ones; guests count as user already."""
    hertz, busy, steal = os.sysconf("SC_CLK_TCK"), 0.0, 0.0
    lines = dict(line.partition(" ")[::2] for line in (read_text(root / "proc/stat") or "").splitlines())
    for number in cpus:
        ticks = [_amount(word) for word in lines.get(f"cpu{number}", "").split()[:8]]
        told = [tick for tick in ticks if tick is not None]
        if len(told) < 8:
            return None, None
        user, nice, system, _, _, irq, softirq, stolen = told
        busy, steal = busy + user + nice + system + irq + softirq, steal + stolen
    return (busy / hertz, steal / hertz) if cpus and busy + steal < MOST else (None, None)


def _pressure_s(root: Path, resource: str) -> float | None:
    words = (_named(root / "proc/pressure" / resource, "some") or "").split()
    totals = [_amount(word.removeprefix("total=")) for word in words if word.startswith("total=")]
    return totals[0] / 1e6 if len(totals) == 1 and totals[0] is not None else None


def _frequency_mhz(root: Path, cpus: Set[int]) -> float | None:
    """The present clock, mean over the CPUs, as the governor's driver tells it, else as /proc/cpuinfo does."""
    told = [_amount(read_text(_cpu(root, number) / "cpufreq/scaling_cur_freq") or "") for number in cpus]
    scaled = [khz / 1000 for khz in told if khz]
    known = scaled or [mhz for number, mhz in _cpuinfo_mhz(root) if number in cpus]
    return math.fsum(known) / len(known) if known else None


def _cpuinfo_mhz(root: Path) -> Iterator[tuple[int, float]]:
    number = None
    for line in (read_text(root / "proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "processor":
            number = _amount(value)
        if name.strip() == "cpu MHz" and number is not None and (mhz := _amount(value)):
            yield int(number), mhz


def _heat_throttles(root: Path) -> int | None:
    """How often a core slowed down because it was hot, summed over all CPUs of the machine: they share its heat."""
    files = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
    counts = [_amount(read_text(file) or "") for file in files]
    known = math.fsum(count for count in counts if count is not None)
    return int(known) if any(count is not None for count in counts) and known < MOST else None


def _named(path: Path, name: str) -> str | None:
    """What stands behind the first word `name` of a line."""
    for line in (read_text(path) or "").splitlines():
        first, _, rest = line.partition(" ")
        if first == name:
            return rest
    return None


def _bytes(text: str | None, unit: int) -> int | None:
    amount = _amount((text or "").split()[0]) if (text or "").split() else None
    return int(amount * unit) if amount is not None and amount * unit < MOST else None


def _amount(text: str) -> float | None:
    """A number that a counter can stand at, or None."""
    with suppress(ValueError):
        amount = float(text)
        return amount if 0 <= amount < MOST else None
    return None
