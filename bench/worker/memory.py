"""Peak memory of training alone: what evaluation takes between epochs is left out."""

from collections.abc import Sequence
from pathlib import Path

from bench.worker.devices import peak_device_memory_bytes, reset_peak_device_memory

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


class PeakMemory:
    """The highest memory of this process and its GPUs while it trained, in bytes; None where not told.

    An evaluation takes a thousand images at once, which is more than many a training step does: `pause`
    before it, `resume` after it.
    """

    def __init__(self, device_names: Sequence[str]):
        self._device_names = device_names
        self._resettable = True
        self.host_bytes: int | None = None
        self.device_bytes: int | None = None

    def pause(self) -> None:
        """Take the peaks so far."""
        if self._resettable:
            self.host_bytes = _higher(self.host_bytes, _peak_host_memory_bytes())
        self.device_bytes = _higher(self.device_bytes, peak_device_memory_bytes(self._device_names))

    def resume(self) -> None:
        """Begin new peaks, so that what happened in the pause does not count.

        Where the kernel does not allow that for the host, its peak before the first pause stands. Writing 5
        resets VmHWM (proc(5), /proc/pid/clear_refs).
        """
        try:
            _RESET.write_text("5")
        except OSError:
            self._resettable = False
        reset_peak_device_memory(self._device_names)


def _higher(one: int | None, other: int | None) -> int | None:
    return max((value for value in (one, other) if value is not None), default=None)


def _peak_host_memory_bytes() -> int | None:
    """VmHWM, the most physical memory since the last reset, or None where the system does not tell.

    Not ru_maxrss: a child inherits its parent's peak there.
    """
    if not _STATUS.exists():
        return None
    for line in _STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None
