"""What a process of a trial took, told as it ends."""

import time

from bench.protocol.answers import Finished
from bench.worker.memory import PeakMemory
from bench.worker.own_host import OwnHost
from bench.worker.watchdog import watchdog_cpu_s


def last_word(
    memory: PeakMemory, import_host_bytes: int | None, watchdog_began_s: float | None, host: OwnHost
) -> Finished:
    """Memory, CPU time, its host's part; of the watchdog's time what it used since it stood at `watchdog_began_s`."""
    memory.pause()
    watchdog_s = watchdog_cpu_s()
    return Finished(
        worker_cpu_s=time.process_time(),
        watchdog_cpu_s=None if watchdog_s is None or watchdog_began_s is None else watchdog_s - watchdog_began_s,
        import_host_memory_bytes=import_host_bytes,
        peak_host_memory_bytes=memory.host_bytes,
        pss_host_memory_bytes=memory.pss_bytes,
        peak_device_memory_bytes=memory.device_bytes,
        hosts=host.part(),
    )
