"""Which ranks the others no longer reach: a cut cable says nothing, and each end of it complains of the other."""

from collections.abc import Iterable, Mapping, Sequence

_ALL_LOOK = 32
"""Ranks, beyond which each looks for the first and for its neighbours in a ring only."""
Pair = tuple[int, int]


def looked_for(ranks: Sequence[int]) -> dict[int, list[int]]:
    """The others that each rank looks for."""
    if len(ranks) <= _ALL_LOOK:
        return {rank: [other for other in ranks if other != rank] for rank in ranks}
    return {
        rank: sorted({ranks[0], ranks[place - 1], ranks[(place + 1) % len(ranks)]} - {rank})
        for place, rank in enumerate(ranks)
    }


def severed(missed: Mapping[int, Sequence[int]]) -> set[Pair]:
    """The links, each by its lower rank first, that either end says it did not reach the other by."""
    return {(min(rank, other), max(rank, other)) for rank, others in missed.items() for other in others}


def cut_off(looked: Mapping[int, Sequence[int]], missed: Mapping[int, Sequence[int]]) -> list[int]:
    """The ranks outside of the part of the network that has more than half of them; none where no part has.

    `missed` are the others that a rank did not reach of those that it looked for. A link of which nobody says that it
    is broken counts as whole, for who does not answer may only have been too late.
    """
    broken = severed(missed)
    links = {(min(rank, other), max(rank, other)) for rank, others in looked.items() for other in others}
    largest = max(_parts(looked, links - broken), key=len, default=set())
    return sorted(set(looked) - largest) if 2 * len(largest) > len(looked) else []


def _parts(ranks: Iterable[int], links: Iterable[Pair]) -> list[set[int]]:
    """The sets of ranks that are joined by links, over others too."""
    parts = {rank: {rank} for rank in ranks}
    for one, other in links:
        if parts[one] is not parts[other]:
            small, large = sorted((parts[one], parts[other]), key=len)
            large |= small
            parts.update(dict.fromkeys(small, large))
    return list({id(part): part for part in parts.values()}.values())
