"""Limits and throttling in file trees as the kernel lays them out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.measure.cgroups import cpu_limit, cpu_throttled, memory_limit, memory_room, oom_kills

Plant = Callable[[dict[str, str]], Path]
V2 = {"proc/self/cgroup": "0::/jobs/7\n", "sys/fs/cgroup/cgroup.procs": ""}
HYBRID = {
    "proc/self/cgroup": "3:memory:/jobs/7\n1:cpu,cpuacct:/jobs/7\n0::/\n",
    "sys/fs/cgroup/unified/cgroup.procs": "",
    "sys/fs/cgroup/unified/cpu.stat": "usage_usec 77\nuser_usec 70\nsystem_usec 7\n",
    "sys/fs/cgroup/cpu,cpuacct/cgroup.procs": "",
}
V1_JOB = "sys/fs/cgroup/cpu,cpuacct/jobs/7"


def stat(seconds: float, periods: int) -> str:
    return f"usage_usec 9\nnr_periods 100\nnr_throttled {periods}\nthrottled_usec {seconds * 1e6:.0f}\n"


def test_nothing_is_known_without_cgroups(plant: Plant) -> None:
    """Elsewhere than on Linux there is neither a limit nor a count."""
    assert cpu_limit(plant({})) is None
    assert cpu_throttled(plant({})) == (None, None)


def test_v2(plant: Plant) -> None:
    """Limit, seconds and periods come from the cgroup of this process, not from the root's."""
    job = "sys/fs/cgroup/jobs/7"
    root = plant(V2 | {f"{job}/cpu.max": "150000 100000\n", f"{job}/cpu.stat": stat(3.2, 41)})
    assert cpu_limit(root) == 1.5
    assert cpu_throttled(root) == (3.2, 41)


def test_v1_beside_v2(plant: Plant) -> None:
    """Where v2 is mounted without its CPU controller, v1's limit in µs and its throttled time in ns count."""
    job = {"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000"}
    counted = "nr_periods 9\nnr_throttled 4\nthrottled_time 2500000000\n"
    root = plant(HYBRID | {f"{V1_JOB}/{name}": text for name, text in job.items()} | {f"{V1_JOB}/cpu.stat": counted})
    assert cpu_limit(root) == 0.5
    assert cpu_throttled(root) == (2.5, 4)


def test_two_names_of_one_mount_count_once(plant: Plant) -> None:
    """Debian links cpu to cpu,cpuacct."""
    root = plant(HYBRID | {f"{V1_JOB}/cpu.stat": "nr_throttled 4\nthrottled_time 2500000000\n"})
    (root / "sys/fs/cgroup/cpu").symlink_to("cpu,cpuacct")
    assert cpu_throttled(root) == (2.5, 4)


def test_a_cgroup_above_limits_too(plant: Plant) -> None:
    """Of nested limits the tightest holds, and being stopped by the outer one counts as well."""
    files = {"jobs/cpu.max": "200000 100000", "jobs/cpu.stat": stat(1.0, 2), "jobs/7/cpu.stat": stat(0.5, 1)}
    files |= {"jobs/7/cpu.max": "max 100000"}
    root = plant(V2 | {f"sys/fs/cgroup/{name}": text for name, text in files.items()})
    assert cpu_limit(root) == 2.0
    assert cpu_throttled(root) == (1.5, 3)


def test_path_of_the_host_in_a_container(plant: Plant) -> None:
    """A container without a cgroup namespace is told a path that it cannot see: the mount is its own cgroup."""
    root = plant(V2 | {"sys/fs/cgroup/cpu.max": "100000 100000", "sys/fs/cgroup/cpu.stat": stat(1.0, 2)})
    assert cpu_limit(root) == 1.0
    assert cpu_throttled(root) == (1.0, 2)
    (root / "proc/self/cgroup").write_text("0::/../../elsewhere\n")
    assert cpu_limit(root) == 1.0


def test_what_an_inner_cgroup_adds_is_not_hidden_by_the_past_of_an_outer_one(plant: Plant) -> None:
    """Two readings differ by what the trial's own cgroup counted in between, however much another had before."""
    outer, inner = "sys/fs/cgroup/jobs/cpu.stat", "sys/fs/cgroup/jobs/7/cpu.stat"
    root = plant(V2 | {outer: stat(1000.0, 9000), inner: stat(0.0, 0)})
    assert cpu_throttled(root) == (1000.0, 9000)
    (root / inner).write_text(stat(3.0, 40))
    assert cpu_throttled(root) == (1003.0, 9040)


@pytest.mark.parametrize(
    "torn", ["", "max", "max 100000", "15", "x 100000", "1 0", "-1 100000", "1 2 3", "9" * 5000, "\0"]
)
def test_torn_limit_is_none(plant: Plant, torn: str) -> None:
    """What is no quota and period is no limit."""
    assert cpu_limit(plant(V2 | {"sys/fs/cgroup/jobs/7/cpu.max": torn})) is None


@pytest.mark.parametrize(
    "torn",
    ["", "nr_thr", "nr_throttled\nthrottled_usec 5", "throttled_usec 5", "nr_throttled 1\nthrottled_usec -5",
     "nr_throttled 1\nthrottled_usec " + "9" * 5000, "nr_throttled 1\nthrottled_usec 1e3", "\0\xff"],
)  # fmt: skip
def test_torn_count_is_none(plant: Plant, torn: str) -> None:
    """A half-written or impossible counter is no counter."""
    assert cpu_throttled(plant(V2 | {"sys/fs/cgroup/jobs/7/cpu.stat": torn})) == (None, None)


def test_room_of_v2_is_the_least_of_the_levels(plant: Plant) -> None:
    """The limit too; pages of files that can be dropped are room, and a level without a limit does not count."""
    outer, inner = "sys/fs/cgroup/jobs", "sys/fs/cgroup/jobs/7"
    files = {f"{outer}/memory.max": "max\n", f"{outer}/memory.current": "7000\n"}
    files |= {f"{inner}/memory.max": "9000\n", f"{inner}/memory.current": "7000\n"}
    files |= {f"{inner}/memory.stat": "anon 5000\ninactive_file 1500\n"}
    root = plant(V2 | files)
    assert memory_room(root) == 3500
    assert memory_limit(root) == 9000
    (root / outer / "memory.max").write_text("7100")
    assert memory_room(root) == 100
    assert memory_limit(root) == 7100


def test_room_of_v1(plant: Plant) -> None:
    """A limit of as many pages as there can be is none."""
    job = "sys/fs/cgroup/memory/jobs/7"
    files = {f"{job}/memory.limit_in_bytes": "9000", f"{job}/memory.usage_in_bytes": "9500"}
    root = plant(HYBRID | {"sys/fs/cgroup/memory/cgroup.procs": ""} | files)
    assert (memory_room(root), memory_limit(root)) == (0, 9000)
    (root / job / "memory.limit_in_bytes").write_text("9223372036854771712")
    assert (memory_room(root), memory_limit(root)) == (None, None)


def test_kills_of_the_own_cgroup_are_counted(plant: Plant) -> None:
    """What the kernel killed elsewhere proves nothing of this process."""
    v2 = {"sys/fs/cgroup/jobs/memory.events": "oom 9\noom_kill 9\n"}
    root = plant(V2 | v2 | {"sys/fs/cgroup/jobs/7/memory.events": "oom 2\noom_kill 1\n"})
    assert oom_kills(root) == 1


def test_kills_are_counted_by_v1_too(plant: Plant) -> None:
    """On a hybrid the memory controller is one of version 1, and an old kernel does not count."""
    memory = "sys/fs/cgroup/memory"
    control = f"{memory}/jobs/7/memory.oom_control"
    root = plant(HYBRID | {f"{memory}/cgroup.procs": "", control: "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"})
    assert oom_kills(root) == 3
    (root / control).write_text("oom_kill_disable 0\nunder_oom 0\n")
    assert oom_kills(root) is None


def test_no_memory_is_known_without_cgroups(plant: Plant) -> None:
    """Neither limit, room nor kills."""
    root = plant({})
    assert (memory_limit(root), memory_room(root), oom_kills(root)) == (None, None, None)


@pytest.mark.parametrize("torn", ["", "max", "x", "-1", "9" * 5000, "\0"])
def test_torn_memory_limit_is_none(plant: Plant, torn: str) -> None:
    """What is no number of bytes is no limit."""
    assert memory_limit(plant(V2 | {"sys/fs/cgroup/jobs/7/memory.max": torn})) is None
