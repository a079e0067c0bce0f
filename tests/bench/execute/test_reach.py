"""Who is cut off, from which links between ranks are broken."""

import pytest

from bench.execute.reach import cut_off, looked_for, severed


@pytest.mark.parametrize(
    ("parts", "silent", "expected"),
    [
        pytest.param([[0, 1, 2]], [], [], id="whole"),
        pytest.param([[0, 2], [1]], [], [1], id="one of three"),
        pytest.param([[0, 2], [1]], [0], [1], id="one of three, of which another does not say"),
        pytest.param([[0, 2], [1]], [0, 2], [1], id="one of three, which alone still says anything"),
        pytest.param([[0, 2], [1]], [1], [1], id="one of three, which does not say"),
        pytest.param([[0, 1, 4], [2, 3]], [], [2, 3], id="a switch with two of five"),
        pytest.param([[0, 1], [2, 3]], [], [], id="halves"),
        pytest.param([[0], [1]], [0], [], id="two, of which one says so"),
        pytest.param([[0], [1], [2]], [], [], id="each alone"),
        pytest.param([[0, 2], [1]], [0, 1, 2], [], id="nobody says anything"),
        pytest.param(
            [[*range(8)], [*range(8, 64)]], [], [*range(8)], id="a host with eight of 64, the first among them"
        ),
        pytest.param([[*range(24), *range(32, 64)], [*range(24, 32)]], [], [*range(24, 32)], id="another host of 64"),
        pytest.param([[*range(32)], [*range(32, 64)]], [], [], id="halves of 64"),
        pytest.param([[*range(511)], [511]], [], [511], id="the last of 512"),
    ],
)
def test_smaller_part_of_a_network_is_cut_off(parts: list[list[int]], silent: list[int], expected: list[int]) -> None:
    """Whoever is not joined to more than half of the ranks, over others too; nobody, where no part is that large."""
    looked = looked_for(sorted(rank for part in parts for rank in part))
    missed = {rank: [other for other in looked[rank] if other not in part] for part in parts for rank in part}
    told = {rank: others for rank, others in missed.items() if rank not in silent}
    assert cut_off(looked, told) == expected


def test_single_link_between_two_that_reach_others_cuts_nobody_off() -> None:
    """It is told as what it is, once."""
    missed = {0: [1], 1: [0], 2: []}
    assert cut_off(looked_for(range(3)), missed) == []
    assert severed(missed) == {(0, 1)}


def test_of_many_ranks_each_looks_for_a_few() -> None:
    """Of 512 each for the first and its neighbours, never for itself."""
    looked = looked_for(range(512))
    assert (looked[0], looked[1], looked[300], looked[511]) == ([1, 511], [0, 2], [0, 299, 301], [0, 510])
