"""Who is cut off, from which links between ranks are broken."""

import pytest

from bench.execute.reach import cut_off, looked_for


@pytest.mark.parametrize(
    ("parts", "silent", "expected"),
    [
        pytest.param([[0, 1, 2]], [], [], id="whole"),
        pytest.param([[0, 2], [1]], [], [1], id="one of three"),
        pytest.param([[0, 2], [1]], [0], [1], id="one of three, of which another does not say"),
        pytest.param([[0, 2], [1]], [1], [1], id="one of three, which does not say"),
        pytest.param([[0, 1, 4], [2, 3]], [], [2, 3], id="a switch with two of five"),
        pytest.param([[0, 1], [2, 3]], [], [0, 1, 2, 3], id="halves"),
        pytest.param([[0], [1]], [0], [0, 1], id="two, of which one says so"),
        pytest.param([[0], [1], [2]], [], [0, 1, 2], id="each alone"),
        pytest.param([[0], [1]], [0, 1], [], id="nobody says anything"),
    ],
)
def test_smaller_part_of_a_network_is_cut_off(parts: list[list[int]], silent: list[int], expected: list[int]) -> None:
    """Whoever has lost most of its links; all of them where no part is the larger one."""
    looked = looked_for(sorted(rank for part in parts for rank in part))
    missed = {rank: [other for other in looked[rank] if other not in part] for part in parts for rank in part}
    told = {rank: others for rank, others in missed.items() if rank not in silent}
    assert cut_off(looked, told) == expected


def test_of_many_ranks_each_looks_for_a_few() -> None:
    """Of 512 the one that is cut off is still found by its neighbours, and rank 0 by all."""
    looked = looked_for(range(512))
    assert sum(map(len, looked.values())) < 4 * 512
    for lost in (0, 1, 300, 511):
        missed = {rank: others if rank == lost else [lost] * (lost in others) for rank, others in looked.items()}
        assert cut_off(looked, missed) == [lost]
