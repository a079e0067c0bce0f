"""Peak memory of training alone: what evaluation takes between epochs is left out."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench.worker.devices import peak_device_memory_bytes, reset_peak_device_memory

_STATUS = Path("/proc/self/status")
_ROLLUP = Path("/proc/self/smaps_rollup")


class PeakMemory:
    """The highest memory of this process and its GPUs while it trained, in bytes; None where not told.

    An evaluation takes a thousand images at once, which is more than many a training step does: `pause`
    before it, `resume` after it. The host's figure is that of the training before the first pause, because an
    allocator keeps what it was given once, so that the process stays larger afterwards; the GPUs' is of all.
    `pss_bytes` is what the process held when the host's peak was taken, pages shared with n processes counted as
    1/n: of several workers on one host these add up, peaks do not.
    """

    def __init__(self, device_names: Sequence[str]):
        self._device_names = device_names
        self._paused_before = False
        self.host_bytes: int | None = None
        self.pss_bytes: int | None = None
        self.device_bytes: int | None = None

    def pause(self) -> None:
        """Take the peaks so far."""
        if not self._paused_before:
            self.host_bytes, self.pss_bytes = peak_host_memory_bytes(), _kibibytes(_ROLLUP, "Pss:")
        self._paused_before = True
        self.device_bytes = _higher(self.device_bytes, peak_device_memory_bytes(self._device_names))

    def resume(self) -> None:
        """Begin new peaks, so that what happened in the pause does not count."""
        reset_peak_device_memory(self._device_names)


def _higher(one: int | None, other: int | None) -> int | None:
    return max((value for value in (one, other) if value is not None), default=None)


def peak_host_memory_bytes() -> int | None:
    """VmHWM, the most physical memory so far, or None where the system does not tell.

    Not ru_maxrss: a child inherits its parent's peak there. Source: proc(5).
    """
    return _kibibytes(_STATUS, "VmHWM:")


def _kibibytes(path: Path, name: str) -> int | None:
    """The line `name` of a file of the kernel's, in bytes; a hardened kernel may refuse to tell."""
    with suppress(OSError):
        for line in path.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return None
