"""Workers of one host keep off each other's CPUs."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bench.measure.cpus import apart, cpu_model, cpu_words, cpus_in, share_of_cpus, siblings, whole_cores


@pytest.mark.parametrize(
    ("threads", "local_rank", "local_ranks", "share"),
    [
        (None, 0, 1, [0, 2, 4, 5]),
        (1, 0, 1, [0]),
        (1, 3, 4, [5]),
        (2, 1, 2, [4, 5]),
        (None, 1, 2, [4, 5]),
        (None, 2, 3, [4]),
        (2, 0, 3, None),
        (8, 0, 1, None),
        (None, 4, 5, None),
    ],
)
def test_a_worker_keeps_to_its_share(threads, local_rank, local_ranks, share):
    """Alone or among others it has as many CPUs as threads; where there are too few, all have all."""
    place = {"local_rank": local_rank, "local_ranks": local_ranks}
    assert share_of_cpus([5, 4, 2, 0], threads=threads, **place, siblings=lambda cpu: {cpu}) == share


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"cpu family": 26, "model": 2, "model name": "AMD EPYC"}, "AMD EPYC (family 26, model 2)"),
        ({"cpu family": 25, "model": 17, "model name": "AMD EPYC"}, "AMD EPYC (family 25, model 17)"),
        ({"model name": "ARMv8 Processor rev 1 (v8l)"}, "ARMv8 Processor rev 1 (v8l)"),
    ],
)
def test_generations_of_one_name_are_told_apart(plant, told, name):
    """By family and model where Linux tells them, beside what a cloud calls all of them."""
    lines = "".join(f"{key}\t: {value}\n" for key, value in told.items())
    assert cpu_model(plant({"proc/cpuinfo": f"processor\t: 0\n{lines}\n"})) == name


def far(cpu):
    """Of four cores, as x86 usually numbers their threads."""
    return {cpu % 4, cpu % 4 + 4}


def near(cpu):
    """Of four cores, as virtual machines often number them."""
    return {cpu, cpu ^ 1}


@pytest.mark.parametrize(
    ("siblings", "cpus", "threads", "shares"),
    [
        (far, 8, None, ["0-1,4-5", "2-3,6-7"]),
        (far, 8, None, ["0,4", "1,5", "2,6"]),
        (far, 7, None, ["0,4", "1,5", "2,6", "3"]),
        (far, 7, None, ["0-1,4-5", "2-3,6"]),
        (far, 7, 1, ["0", "1", "2", "3"]),
        (far, 8, None, ["0-7"]),
        (far, 8, 1, ["0", "1", "2", "3"]),
        (far, 8, 2, ["0-1", "2-3", "4-5", "6-7"]),
        (near, 8, None, ["0-3", "4-7"]),
        (near, 6, None, ["0-1", "2-3"]),
        (near, 8, 1, ["0", "2", "4", "6"]),
        (near, 8, 2, ["0,2", "4,6"]),
        (near, 4, None, ["0", "2", "1"]),
    ],
)
def test_shares_are_of_whole_cores(siblings, cpus, threads, shares):
    """Workers have no core in common as long as there are enough, and a thread has one of its own."""
    ranks = range(len(shares))
    place = {"local_ranks": len(shares), "threads": threads, "siblings": siblings}
    assert [cpu_words(share_of_cpus(range(cpus), local_rank=rank, **place)) for rank in ranks] == shares


def test_threads_of_a_core_are_read_from_linux(tmp_path):
    """Where it does not tell, each CPU is a core; two workers on threads of one core are not apart."""
    (tmp_path / "cpu2" / "topology").mkdir(parents=True)
    (tmp_path / "cpu2" / "topology" / "thread_siblings_list").write_text("2,6\n")
    assert siblings(2, tmp_path) == {2, 6}
    assert siblings(3, tmp_path) == {3}
    places = [f"here {cpu_words(sorted(whole_cores([cpu], far)))}" for cpu in (1, 2, 5)]
    assert places == ["here 1,5", "here 2,6", "here 1,5"]
    assert apart(places[:2])
    assert not apart(places)


@given(some.sets(some.integers(0, 300)))
def test_a_list_of_cpus_can_be_read_back(cpus):
    """What is written as Linux does names the same CPUs."""
    assert cpus_in(cpu_words(sorted(cpus))) == cpus


def test_workers_are_apart_by_host_and_cpu():
    """The same number on another host is another CPU."""
    assert cpu_words([7, 0, 1, 2]) == "0-2,7"
    assert apart(["one 0-1", "one 2", "two 0-3"])
    assert not apart(["one 0-2", "one 2"])
