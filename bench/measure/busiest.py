"""Which other programs take CPU time just now."""

import time

import psutil

from bench.errors import one_line

_LOOK_S = 0.3
_TELLING = 0.05
"""Of one CPU: less is nobody's load."""
_MOST = 3


def busiest(look_s: float = _LOOK_S) -> list[str]:
    """The programs that take most, `name (pid 12, 97 % of a CPU)`, watched for some time; the own process is none."""
    before, began_s = _cpu_s(), time.monotonic()
    time.sleep(look_s)
    after, took_s = _cpu_s(), time.monotonic() - began_s
    shares = {who: (cpu_s - before[who]) / took_s for who, cpu_s in after.items() if who in before}
    most = sorted(shares, key=lambda who: -shares[who])[:_MOST]
    return [
        f"{name} (pid {pid}, {100 * shares[pid, name]:.0f} % of a CPU)"
        for pid, name in most
        if shares[pid, name] > _TELLING
    ]


def _cpu_s() -> dict[tuple[int, str], float]:
    """CPU seconds so far of every other process that tells, by its id and name."""
    found = {}
    for process in psutil.process_iter(["cpu_times", "name"]):
        times, name = process.info["cpu_times"], process.info["name"]
        if times is not None and process.pid != psutil.Process().pid:
            found[process.pid, one_line(name or "?")] = times.user + times.system
    return found
