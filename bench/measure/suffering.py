"""What a trial suffered between two readings of its conditions, each with its amount."""

from collections.abc import Iterator

from bench.host import Conditions

STEAL = 0.02
"""Share of the CPU time. It costs throughput about as much, which is most of the ±3 % that a trial aims at."""
OTHERS = 0.05
"""Share of the usable CPUs. The kernel's own threads and a shell stay below; a second program does not."""
THROTTLED = 0.01
"""Of one CPU: a quota stops all threads for tens of ms at once, so even 1 % is windows with holes."""
MEMORY_WAIT = 0.01
"""Share of the time. Without a shortage it is zero but for page faults of the start."""
SLOWER_CLOCK = 0.2
"""Share of the frequency. Each reading catches one moment, and the steps of a turbo alone differ by a tenth."""
SWAPPED_IN_BYTES = 16 * 2**20
"""Page by page that is about 0.4 s on a disk of 0.1 ms; less may be another program's that woke up."""
# Pressure of CPUs and disks is read and flags nothing. A worker's own threads wait for a CPU, its start for a disk, and
# the kernel counts nobody's part apart. Others that computed show in `busy_s`; others that read or write hold up no
# step, whose data are all in memory, unless memory is short, which is told by itself.


def suffered(before: Conditions, after: Conditions, own_cpu_s: float | None, steal: float = STEAL) -> list[str]:
    """What spoilt a trial; empty where nothing is known to have done so.

    `own_cpu_s` are the CPU seconds that the trial itself used in between (its workers and this harness), None where
    unknown: then nothing is said of other programs. `steal` is the share of CPU time from which on it is told.
    """
    elapsed_s = after.clock_s - before.clock_s
    return [*_of_cpu_time(before, after, own_cpu_s, elapsed_s, steal), *_of_the_rest(before, after, elapsed_s)]


def _of_cpu_time(
    before: Conditions, after: Conditions, own_cpu_s: float | None, elapsed_s: float, steal: float
) -> Iterator[str]:
    cpus = before.cpus if before.cpus == after.cpus else None
    if not cpus or elapsed_s <= 0:
        return
    steal_s, busy_s = _gone(before.steal_s, after.steal_s), _gone(before.busy_s, after.busy_s)
    if steal_s is not None and (share := steal_s / (cpus * elapsed_s)) >= steal:
        yield f"steal: {100 * share:.0f} % of CPU time"
    if busy_s is not None and own_cpu_s is not None:
        others = (busy_s - own_cpu_s) / elapsed_s
        if others >= OTHERS * cpus:
            yield f"other programs used {others:.1f} of {cpus} CPUs"


def _of_the_rest(before: Conditions, after: Conditions, elapsed_s: float) -> Iterator[str]:
    throttled_s = _gone(before.throttled_s, after.throttled_s)
    # of one CPU: how many of a host's a quota leaves varies
    if throttled_s and elapsed_s > 0 and throttled_s >= THROTTLED * elapsed_s:
        yield f"throttled by its cgroup: {throttled_s / elapsed_s:.2f} CPUs stood still on average"
    waited_s = _gone(before.pressure_memory_s, after.pressure_memory_s)
    if waited_s and waited_s >= MEMORY_WAIT * elapsed_s:
        yield f"waited for memory {waited_s:.1f} s (memory pressure)"
    was, now = before.frequency_mhz, after.frequency_mhz
    # both readings catch an idle moment, which says something of the load only where idling lowers no clock
    steady = {before.governor, after.governor} <= {None, "performance"}
    if steady and was and now and now <= (1 - SLOWER_CLOCK) * was:
        yield f"frequency fell from {was:,.0f} to {now:,.0f} MHz"
    swapped = _gone(before.swapped_in_bytes, after.swapped_in_bytes)
    if swapped and swapped >= SWAPPED_IN_BYTES:
        yield f"swapped in {swapped / 2**20:,.0f} MiB"
    heat = _gone(before.heat_throttles, after.heat_throttles)
    if heat and heat > 0:
        yield f"the CPU throttled for heat {heat:,.0f} time{'s' * (heat != 1)}"


def _gone(before: float | None, after: float | None) -> float | None:
    """What a counter went up by; None where one reading is missing or it was reset."""
    return None if before is None or after is None or after < before else after - before
