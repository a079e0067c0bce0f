"""Which ranks the others no longer reach: a cut cable says nothing, and each end of it complains of the other."""

from collections.abc import Mapping, Sequence

_ALL_LOOK = 32
"""Ranks, beyond which each looks for the first and for its neighbours in a ring only."""


def looked_for(ranks: Sequence[int]) -> dict[int, list[int]]:
    """The others that each rank looks for."""
    if len(ranks) <= _ALL_LOOK:
        return {rank: [other for other in ranks if other != rank] for rank in ranks}
    ring = {rank: {ranks[0], ranks[place - 1], ranks[(place + 1) % len(ranks)]} for place, rank in enumerate(ranks)}
    return {rank: [other for other in ranks if other in ring[rank] and other != rank] for rank in ranks}


def cut_off(looked: Mapping[int, Sequence[int]], missed: Mapping[int, Sequence[int]]) -> list[int]:
    """The ranks most of whose links are broken: all of them where no part of the network is the larger one.

    `missed` are the others that a rank did not reach of those that it looked for; who does not say is no witness. A
    link is broken where either end says so.
    """
    links = {frozenset((rank, other)) for rank in missed for other in looked[rank]}
    broken = {frozenset((rank, other)) for rank, others in missed.items() for other in others}
    shares = {rank: _share(broken, [link for link in links if rank in link]) for rank in looked}
    return [rank for rank, share in shares.items() if share > 0.5]


def _share(broken: set[frozenset[int]], links: Sequence[frozenset[int]]) -> float:
    return sum(link in broken for link in links) / len(links) if links else 0.0
