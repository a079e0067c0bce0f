"""The part in a trial of the host that this worker is on."""

import socket
import time

from bench.host import HostPart
from bench.measure.conditions import read_conditions
from bench.measure.cpus import usable_cpus
from bench.worker.watchdog import watchdog_cpu_s


class OwnHost:
    """Reads this host's conditions now, before the trial does anything, and again when asked for its part."""

    def __init__(self) -> None:
        self._cpus = usable_cpus()  # those that the trial could have: the worker will keep to a share of them
        self._before, self._began_cpu_s = read_conditions(cpus=self._cpus), self._cpu_s()

    def part(self) -> dict[str, HostPart]:
        """Its part up to now, by its name."""
        began, now = self._began_cpu_s, self._cpu_s()
        own_cpu_s = None if now is None or began is None else max(0.0, now - began)
        after = read_conditions(cpus=self._cpus)
        return {socket.gethostname(): HostPart(before=self._before, after=after, own_cpu_s=own_cpu_s)}

    @staticmethod
    def _cpu_s() -> float | None:
        """CPU seconds of this process and its watchdog."""
        watchdog_s = watchdog_cpu_s()
        return None if watchdog_s is None else time.process_time() + watchdog_s
