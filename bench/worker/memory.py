"""Host memory of this very process."""

from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_host_memory_bytes() -> int | None:
    """VmHWM, the most physical memory this process ever held, or None where the system does not tell.

    Not ru_maxrss: a child inherits its parent's peak there.
    """
    if not _STATUS.exists():
        return None
    for line in _STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None
