"""How much memory the host still has for this process."""

import resource
from pathlib import Path

import psutil

from bench.measure.cgroups import memory_room


def free_host_memory_bytes(root: Path = Path("/")) -> int:
    """What the system, the cgroups and the limit of the address space still allow, the least of them."""
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    rooms = [psutil.virtual_memory().available, memory_room(root)]
    if address_space != resource.RLIM_INFINITY:
        rooms.append(max(address_space - psutil.Process().memory_info().vms, 0))
    return min(room for room in rooms if room is not None)
