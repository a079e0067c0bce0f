"""When a comparison goes on and when it stops, with pairs that come from a list."""

import math
from collections.abc import Sequence

import pytest

from bench.execute.scheduler import Interrupted
from bench.guard.live.collect import GIVES_UP_AFTER, collect_pairs
from bench.guard.live.rule import Known
from bench.store.pairs import Mode, PairRecord
from tests.bench.guard.live.pairs import STEP_S, pair_of, side_record


def collected(pairs: Sequence[PairRecord], mode: Mode = "interleaved") -> tuple[list[PairRecord], list[str]]:
    """What was collected, and the mode of every pair that was asked for."""
    asked: list[str] = []

    def run(number: int, mode: Mode) -> PairRecord:
        asked.append(mode)
        return pairs[number].model_copy(update={"number": number, "mode": mode})

    kept: list[PairRecord] = []
    found = collect_pairs(run, mode=mode, margin=0.02, known=lambda *_: Known(0.006), keep=kept.append)
    assert len(kept) == len(asked), "every pair is kept, whatever came of it"
    return found, asked


@pytest.mark.parametrize("effect", [0.0, -0.06, 0.06])
def test_a_clear_verdict_stops_at_the_first_look(effect: float):
    """Four pairs that agree are enough, whichever way they point."""
    found, _ = collected([pair_of(effect)] * 10)
    assert len(found) == 4


def test_slower_is_clear_whatever_memory_does():
    """Throughput that is proven to be less stops it, though memory of the same pairs is not clear yet."""
    slow = [STEP_S * math.exp(0.06)] * 4
    unclear = [
        pair_of(b=side_record(*slow, peak_host_memory_bytes=round(600 * 2**20 * math.exp(sign * 0.05))))
        for sign in (1, -1)
    ]
    found, _ = collected(unclear * 8)
    assert len(found) == 4


def test_a_stall_that_is_proven_in_the_mean_stops_it():
    """Throughput by the centre is at its margin, for ever unclear; all windows together are slower beyond doubt."""
    stalled = side_record(*[STEP_S * math.exp(0.0202)] * 9, 2 * STEP_S)
    found, _ = collected([pair_of(a=side_record(*[STEP_S] * 10), b=stalled)] * 20)
    assert len(found) == 4


def test_what_is_not_clear_goes_on_to_the_last_look():
    """An effect of just the margin is never clear; sixteen pairs are the most."""
    found, _ = collected([pair_of(-0.0202)] * 20)
    assert len(found) == 16


def test_every_look_knows_the_pairs_that_it_looks_at():
    """What is known is asked for with the undisturbed pairs so far."""
    pairs = [pair_of(-0.3, others_s=6.0), *[pair_of(-0.0202)] * 20]
    asked: list[int] = []

    def known(mode: Mode, seen: Sequence[PairRecord]) -> Known:
        asked.append(len(seen))
        return Known(0.006)

    collect_pairs(lambda number, _: pairs[number], mode="interleaved", margin=0.02, known=known, keep=lambda _: None)
    assert asked == [4, 6, 8, 10, 13, 16]


def test_there_is_no_look_between_looks():
    """Pairs that would be clear after five are judged after six."""
    unclear = [pair_of(one) for one in (0.008, -0.008, 0.008, -0.008)]
    found, _ = collected([*unclear, *[pair_of(0.0)] * 6])
    assert len(found) == 6


def test_disturbed_pairs_do_not_count():
    """Two disturbed pairs are kept and left out: the first look comes after six."""
    disturbed = pair_of(-0.3, others_s=6.0)
    found, _ = collected([disturbed, pair_of(), disturbed, *[pair_of()] * 10])
    assert len(found) == 6


def test_a_machine_that_is_never_quiet_is_given_up():
    """Where all pairs are disturbed there is an end to it."""
    found, _ = collected([pair_of(others_s=6.0)] * 30)
    assert len(found) == GIVES_UP_AFTER


def test_a_failing_side_ends_it():
    """Nothing is compared with a side that does not run."""
    found, _ = collected([pair_of(), pair_of(b=side_record(status="error", reason="broken")), pair_of()])
    assert len(found) == 2


def test_sides_that_do_not_fit_at_once_take_turns():
    """Out of memory while both lived: from then on whole processes alternate, and only those are judged."""
    full = pair_of(b=side_record(status="oom"))
    found, asked = collected([full, *[pair_of()] * 10])
    assert asked == ["interleaved"] + ["in turn"] * 4
    assert {pair.mode for pair in found} == {"in turn"}


def test_a_side_that_does_not_fit_alone_ends_it():
    """Out of memory with nobody else there is a failure."""
    full = pair_of(b=side_record(status="oom"))
    found, asked = collected([full, full, pair_of()])
    assert asked == ["interleaved", "in turn"]
    assert found[-1].b.status == "oom"


def test_an_interrupt_ends_it_after_keeping_the_pair():
    """What was measured when the user stopped it is stored."""
    with pytest.raises(Interrupted):
        collected([pair_of(a=side_record(status="interrupted"))])
