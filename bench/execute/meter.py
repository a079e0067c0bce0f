"""What this very process costs while a trial's windows run."""

import time
from collections.abc import Callable

from bench.execute.session import Session
from bench.measure.cpus import usable_cpus
from bench.store.record import HarnessCost


class Meter:
    """Reads the clock, this process's CPU time and a session's traffic at the begin and the end of the windows."""

    def __init__(self, session: Session, clock: Callable[[], float]):
        self._session, self._clock = session, clock
        self._began = self._took = (0.0, 0.0, 0)

    def start(self) -> None:
        """The first step is done; the windows begin."""
        self._began = self._now()

    def stop(self) -> None:
        """The last window is done."""
        span_s, cpu_s, exchanged_bytes = self._now()
        self._took = span_s - self._began[0], cpu_s - self._began[1], exchanged_bytes - self._began[2]

    def cost(self, watchdog_cpu_s: float | None) -> HarnessCost | None:
        """What was taken in between; None where nothing ran in between."""
        span_s, cpu_s, exchanged_bytes = self._took
        if span_s <= 0 or exchanged_bytes <= 0:
            return None
        return HarnessCost(
            span_s=span_s,
            cpus=len(usable_cpus()),
            parent_cpu_s=cpu_s,
            watchdog_cpu_s=watchdog_cpu_s,
            exchanged_bytes=exchanged_bytes,
        )

    def _now(self) -> tuple[float, float, int]:
        return self._clock(), time.process_time(), self._session.exchanged_bytes
