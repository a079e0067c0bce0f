"""Several hosts in one environment: what they share once, and what differs."""

from typing import Any

from bench.host import hosts_in, named_hosts
from bench.measure.joint import differences, joint_environment

PARENT = {"host": "login", "python": "3.12.1", "packages": {}, "load_1min": 0.1}


def host(name: str, *uuids: str, **changes: Any) -> dict[str, Any]:
    """What a host says it is."""
    return {
        "host": name,
        "cpu_model": "EPYC",
        "memory_bytes": 2**37,
        "packages": {"keras": "3.15.1", "nvidia-nccl-cu12": "2.27"},
        "gpu_states": [{"uuid": uuid} for uuid in uuids],
        "exact_unit": f"unit of {name}",
        "no_exact_unit_reason": "",
        "machine_class": {"id": name[0], "cpu_model": "EPYC"},
    } | changes


def test_each_host_is_told_whole_again() -> None:
    """However little of it is stored, and whatever else stands in the environment."""
    told = [([0, 2], host("n1", "a")), ([1, 3], host("n2", "b", load_1min=3.0))]
    joint = joint_environment(told, PARENT)
    assert hosts_in(joint) == [([0, 2], told[0][1] | {"ranks": [0, 2]}), ([1, 3], told[1][1] | {"ranks": [1, 3]})]
    assert "cpu_model" not in joint["hosts"][1]
    assert joint["cpu_model"] == "EPYC"
    assert joint["exact_unit"] not in {"unit of n1", "unit of n2"}
    assert (joint["parent"]["host"], joint["machine_class"]["hosts"]) == ("login", 2)


def test_two_names_of_one_host_are_one() -> None:
    """It has the ranks of both, and is the unit that it is by itself; with other GPUs for each rank it stays two."""
    joint = joint_environment([([1], host("n1", "a")), ([0], host("n1", "a"))], PARENT)
    assert [one["ranks"] for one in joint["hosts"]] == [[0, 1]]
    assert joint["exact_unit"] == "unit of n1"
    apart = joint_environment([([0], host("n1", "a")), ([1], host("n1", "b"))], PARENT)
    assert [name for name, _ in named_hosts(apart)] == ["n1 (rank 0)", "n1 (rank 1)"]


def test_what_differs_is_told_with_its_hosts() -> None:
    """Of packages only those that differ; memory that a kernel keeps and load are no difference."""
    like = [([rank], host(f"n{rank}", load_1min=rank, memory_bytes=2**37 - rank * 2**20)) for rank in range(3)]
    assert differences(joint_environment(like, PARENT)) == []
    other = host("n3", packages={"keras": "3.15.1", "nvidia-nccl-cu12": "2.28"}, driver="580")
    assert differences(joint_environment([*like, ([3], other)], PARENT)) == [
        "hosts differ in driver: unknown on n0, n1, n2; 580 on n3",
        "hosts differ in packages: nvidia-nccl-cu12 2.27 on n0, n1, n2; nvidia-nccl-cu12 2.28 on n3",
    ]
    limited = host("n3", memory_limit_gib=8.0)
    assert differences(joint_environment([*like, ([3], limited)], PARENT)) == [
        "hosts differ in memory_limit_gib: unknown on n0, n1, n2; 8.0 on n3"
    ]
    assert differences(PARENT) == []


def test_parent_of_other_code_is_told() -> None:
    """Who leads may have another checkout than the hosts, which is said where both tell theirs."""
    told = [([rank], host(f"n{rank}", code_sha256="a" * 64)) for rank in range(2)]
    for code, lines in (("a" * 64, 0), (None, 0), ("b" * 64, 1)):
        found = differences(joint_environment(told, PARENT | {"code_sha256": code}))
        assert len(found) == lines
        assert all(line.startswith("the code on login, which leads, is not that of the hosts") for line in found)
