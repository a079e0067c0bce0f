"""Collects pairs of processes until the verdict is clear: the sequential rule at work."""

from collections.abc import Callable, Sequence
from itertools import count

from bench.execute.scheduler import Interrupted
from bench.guard.live.metrics import (
    MOST_DISTURBED,
    SPEEDS,
    Judged,
    failure_of,
    judge,
    undisturbed,
)
from bench.guard.live.rule import LOOKS, Known
from bench.store.pairs import Mode, PairRecord

GIVES_UP_AFTER = 6
"""Pairs: where most of so many were disturbed, waiting for a quiet moment is not this program's to do."""


def collect_pairs(
    run: Callable[[int, Mode], PairRecord],
    *,
    mode: Mode,
    margin: float,
    known: Callable[[Mode, Sequence[PairRecord]], Known],
    keep: Callable[[PairRecord], None],
) -> list[PairRecord]:
    """Run pairs until every verdict that matters is clear at a look, the last look, or a side that fails.

    Disturbed pairs are kept and do not count; where they are most, there is an end to it. Where both sides do not fit
    at once, which shows as `oom` of an interleaved pair, those that follow run in turn. Raises Interrupted after the
    pair that the user stopped.
    """
    pairs: list[PairRecord] = []
    for number in count():
        pair = run(number, mode)
        keep(pair)
        if "interrupted" in {pair.a.status, pair.b.status}:
            raise Interrupted
        if mode == "interleaved" and "oom" in {pair.a.status, pair.b.status}:
            mode, pairs = "in turn", []
            continue
        pairs.append(pair)
        valid = undisturbed(pairs)
        # nothing is looked at twice: a disturbed pair adds nothing
        looked_at = len(valid) in LOOKS and valid[-1] is pair
        clear = looked_at and is_clear(judge(valid, margin, known(mode, valid)))
        hopeless = len(pairs) >= GIVES_UP_AFTER and len(pairs) - len(valid) > MOST_DISTURBED * len(pairs)
        if failure_of(pairs) or clear or hopeless or len(valid) == LOOKS[-1]:
            break
    return pairs


def is_clear(judged: list[Judged]) -> bool:
    """Whether nothing that more pairs are wanted for is left, or B is proven to be slower."""
    if any(one.name in SPEEDS and one.verdict == "regressed" for one in judged):
        return True  # a look spends its share of the error once: what it has proven is not asked again
    return not any(one.is_open for one in judged)
