"""Workers of one host keep off each other's CPUs."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bench.measure.cpus import apart, cpu_words, cpus_in, share_of_cpus


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
    assert share_of_cpus([5, 4, 2, 0], threads=threads, local_rank=local_rank, local_ranks=local_ranks) == share


@given(some.sets(some.integers(0, 300)))
def test_a_list_of_cpus_can_be_read_back(cpus):
    """What is written as Linux does names the same CPUs."""
    assert cpus_in(cpu_words(sorted(cpus))) == cpus


def test_workers_are_apart_by_host_and_cpu():
    """The same number on another host is another CPU."""
    assert cpu_words([7, 0, 1, 2]) == "0-2,7"
    assert apart(["one 0-1", "one 2", "two 0-3"])
    assert not apart(["one 0-2", "one 2"])
