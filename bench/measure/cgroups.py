"""What the control groups of this process allow and withhold, under cgroup v2, v1 and both at once (hybrid)."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_UNIFIED = ("sys/fs/cgroup", "sys/fs/cgroup/unified")
_CPU = ("sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct")
"""Where v2 and v1's CPU controller are mounted: by the first on most systems, the second on hybrid and older ones."""
_MEMORY = ("sys/fs/cgroup/memory",)


def cpu_limit(root: Path = Path("/")) -> float | None:
    """CPUs that the own cgroup and those above it allow, the tightest of them; None without a limit.

    Source: the kernel's admin-guide/cgroup-v2 (`cpu.max`) and scheduler/sched-bwc (`cpu.cfs_quota_us`).
    """
    limits = [_quota(read_text(folder / "cpu.max")) for folder in _levels(root, _UNIFIED, "")]
    for folder in _levels(root, _CPU, "cpu"):
        quota, period = read_text(folder / "cpu.cfs_quota_us"), read_text(folder / "cpu.cfs_period_us")
        limits.append(_quota(f"{quota} {period}"))
    return min((limit for limit in limits if limit is not None), default=None)


def cpu_throttled(root: Path = Path("/")) -> tuple[float | None, int | None]:
    """Seconds, summed over CPUs, and periods in which the own cgroup or one above it had used up its quota.

    Counted since the cgroups were made; (None, None) where no cgroup counts them. The kernel counts at the cgroup whose
    own quota is used up, so the sum misses none; a CPU that two levels stop at once counts twice. The largest of the
    levels would hide what an inner one adds behind what an outer one had counted before the trial.
    """
    found = [_v2_throttled(folder) for folder in _levels(root, _UNIFIED, "")]
    if not any(found):
        found = [_v1_throttled(folder) for folder in _levels(root, _CPU, "cpu")]
    counted = [one for one in found if one]
    return (sum(one[0] for one in counted), sum(one[1] for one in counted)) if counted else (None, None)


def memory_limit(root: Path = Path("/")) -> int | None:
    """Bytes that the own cgroup and those above it allow in all, the tightest of them; None without a limit.

    Source: admin-guide/cgroup-v2 (`memory.max`) and cgroup-v1/memory (`limit_in_bytes`).
    """
    limits = [_most(folder / "memory.max") for folder in _levels(root, _UNIFIED, "")]
    limits += [_most(folder / "memory.limit_in_bytes") for folder in _levels(root, _MEMORY, "memory")]
    return min((limit for limit in limits if limit is not None), default=None)


def memory_room(root: Path = Path("/")) -> int | None:
    """Bytes that the own cgroup and those above it still allow, the least of them; None without a limit.

    Pages of files that nobody uses count as room: the kernel drops them first. Source: admin-guide/cgroup-v2
    (`memory.max`, `memory.current`) and cgroup-v1/memory (`limit_in_bytes`, `usage_in_bytes`).
    """
    rooms = [_room(folder, "memory.max", "memory.current", "inactive_file") for folder in _levels(root, _UNIFIED, "")]
    v1 = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
    rooms += [_room(folder, *v1) for folder in _levels(root, _MEMORY, "memory")]
    return min((room for room in rooms if room is not None), default=None)


def oom_kills(root: Path = Path("/")) -> int | None:
    """Processes of the own cgroup, and of those below it, that the kernel has killed for want of memory.

    None where that is not counted. The count rises before the signal is sent. Source: mm/oom_kill.c; `memory.events`
    of v2 counts kills of any kind, v1's `memory.oom_control` does so from Linux 4.13 on.
    """
    own = [next(_levels(root, _UNIFIED, ""), None), next(_levels(root, _MEMORY, "memory"), None)]
    files = [folder / name for folder, name in zip(own, ("memory.events", "memory.oom_control"), strict=True) if folder]
    return next((count for file in files if (count := _table(file).get("oom_kill")) is not None), None)


def read_text(path: Path) -> str | None:
    """A small file of the kernel's as text, whatever bytes it holds; None where it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None


def _levels(root: Path, mounts: tuple[str, ...], controller: str) -> Iterator[Path]:
    """The own cgroup's folder and those above it, up to the mount.

    A container may see its host's path, which leads nowhere inside: its own cgroup is then the mount itself.
    """
    for line in (read_text(root / "proc/self/cgroup") or "").splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        if controller not in controllers.split(","):
            continue
        # one mount of them only: they may be two names of the same; a hybrid's first is no cgroup
        for mount in [root / mount for mount in mounts if (root / mount / "cgroup.procs").exists()][:1]:
            own = mount / path.strip("/")
            own = own if ".." not in own.parts and own.is_dir() else mount
            yield from (above for above in (own, *own.parents) if above.is_relative_to(mount))


def _quota(text: str | None) -> float | None:
    """`quota period`, both in µs, as CPUs; `max` and -1 are no limit."""
    with suppress(ValueError, OverflowError):
        quota, period = map(int, (text or "").split())
        return quota / period if quota > 0 < period else None
    return None


def _v2_throttled(folder: Path) -> tuple[float, int] | None:
    stat = _counts(folder)
    return (stat["throttled_usec"] / 1e6, stat["nr_throttled"]) if "throttled_usec" in stat else None


def _v1_throttled(folder: Path) -> tuple[float, int] | None:
    stat = _counts(folder)
    return (stat["throttled_time"] / 1e9, stat["nr_throttled"]) if "throttled_time" in stat else None


def _counts(folder: Path) -> dict[str, int]:
    """The counters of a `cpu.stat`, none where it is not whole."""
    stat = _table(folder / "cpu.stat")
    return stat if "nr_throttled" in stat and all(0 <= value < 2**63 for value in stat.values()) else {}


def _table(path: Path) -> dict[str, int]:
    """A file of lines that are a name and a number; empty where it is not wholly that."""
    with suppress(ValueError):
        return {name: int(value) for name, value in (line.split() for line in (read_text(path) or "").splitlines())}
    return {}


def _most(path: Path) -> int | None:
    """A limit in bytes; `max`, like whatever is no number, is no limit, and so is v1's huge one."""
    with suppress(ValueError):
        most = int(read_text(path) or "")
        return most if 0 <= most < _NO_LIMIT else None
    return None


def _room(folder: Path, limit: str, used: str, droppable: str) -> int | None:
    """The limit less what is used; None where there is no limit."""
    most = _most(folder / limit)
    with suppress(ValueError):
        taken = int(read_text(folder / used) or "") - _table(folder / "memory.stat").get(droppable, 0)
        return None if most is None else max(most - taken, 0)
    return None


_NO_LIMIT = 2**62
"""Version 1 writes no limit as the largest number of whole pages."""
