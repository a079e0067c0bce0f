"""What came of a comparison, in words: what differs, what can be seen, what was left out."""

import math

import pytest

from bench.guard.live.result import differences, foresight, result_of, result_table
from bench.guard.live.rule import LOOKS, Known, power_at
from bench.store.pairs import PooledNoise
from bench.trial import Cell, Trial
from tests.bench.guard.live.pairs import accuracy_of, comparison_of, pair_of, side_record


def test_differences_between_sides_are_listed():
    """Settings, code, Python and variables that differ, and nothing that does not."""
    a = comparison_of().a
    b = a.model_copy(
        update={
            "trial": Trial(cell=Cell(epochs=0, engine="fused")),
            "workload_sha256": "1" * 64,
            "workload_origin": "commit abc",
            "variables": {"OMP_NUM_THREADS": "1"},
        }
    )
    assert differences(a, b) == [
        "engine: step → fused",
        "mnist_cnn: /here (000000000000) → commit abc (111111111111)",
        "OMP_NUM_THREADS: not set → 1",
    ]
    assert differences(a, a) == []


def test_foresight_is_of_the_recorded_noise():
    """The effect that is announced has 95 % power at the last look with what this unit has recorded."""
    recorded = comparison_of(noise=PooledNoise(sd=0.02, freedom=4, mode="interleaved"))
    told = foresight(recorded, "interleaved")
    effect = float(told.split("slow-down of ")[1].split(" %")[0]) / 100
    assert power_at(effect, Known(0.02, 8), 0.02, LOOKS[-1]) == pytest.approx(0.95, abs=0.01)
    assert "recorded here" in told
    assert "assumed" in foresight(comparison_of(), "interleaved")
    assert "assumed" in foresight(recorded, "in turn")


def test_recorded_noise_is_the_floor():
    """Four pairs that agree are unchanged on a quiet unit, and not clear on one whose identical code differs by 5 %."""
    pairs = [pair_of()] * 4
    assert result_of(comparison_of(), pairs).verdict == "unchanged"
    assert (
        result_of(comparison_of(noise=PooledNoise(sd=0.05, freedom=4, mode="interleaved")), pairs).verdict
        == "inconclusive"
    )


def test_noisy_rounds_keep_pairs_that_agree_from_a_verdict():
    """Four pairs whose rounds hardly differ are unchanged; where they differ by 20 % nothing is proven yet."""

    def verdict(spread: float) -> str:
        rounds = [0.1 * math.exp(spread * place) for place in (-4, -3, -2, -1, 0, 1, 2, 3, 4)]
        return result_of(comparison_of(), [pair_of(a=side_record(*[0.1] * 9), b=side_record(*rounds))] * 4).verdict

    assert (verdict(0.0001), verdict(0.08)) == ("unchanged", "inconclusive")


def test_disturbed_pairs_are_told_and_too_many_are_invalid():
    """What was left out stands under the table with its amount; where it is most pairs there is no verdict."""
    disturbed = pair_of(others_s=9.0, number=7)
    few = result_of(comparison_of(), [pair_of(), pair_of(), pair_of(), pair_of(), disturbed])
    assert few.verdict == "unchanged"
    assert "Left out, pair 7: other programs used 0.9 of 2 CPUs" in result_table(few).told
    assert result_of(comparison_of(), [pair_of(), disturbed, disturbed]).verdict == "invalid"


@pytest.mark.parametrize(("lost", "verdict"), [(0.01, "regressed"), (0.0, "invalid")])
def test_accuracy_is_judged_beside_whatever_load(lost: float, verdict: str):
    """Other programs cost no accuracy: a loss is a regression, though most pairs are disturbed."""
    seeds = [accuracy_of(seed, 0.98 + 0.0001 * seed, 0.98 - lost) for seed in range(5)]
    disturbed = pair_of(-0.06, others_s=9.0, number=7)
    result = result_of(comparison_of(), [pair_of(-0.06), *[disturbed] * 2], seeds)
    assert (result.verdict, result.verdicts["throughput"]) == (verdict, "invalid")
    assert any(line.startswith("NOTHING BUT ACCURACY WAS JUDGED") for line in result_table(result).told)


def test_pairs_in_turn_are_judged_alone():
    """Where both sides did not fit at once, what was tried before counts for nothing."""
    full = pair_of(b=side_record(status="oom"))
    turns = [pair_of(mode="in turn", number=number) for number in range(1, 5)]
    result = result_of(comparison_of(), [full, *turns])
    assert (result.failure, result.pairs, result.verdict) == (None, 4, "unchanged")
    assert "whole processes took turns" in result_table(result).told[0]


@pytest.mark.parametrize(
    ("lost", "verdict"), [(0.0, "unchanged"), (0.01, "regressed"), (0.005, "inconclusive"), (-0.01, "improved")]
)
def test_accuracy_is_part_of_the_verdict(lost: float, verdict: str):
    """A point less over five seeds is a regression, half a point is the margin, nothing is nothing."""
    seeds = [accuracy_of(seed, 0.98 + 0.0001 * seed, 0.98 - lost) for seed in range(5)]
    result = result_of(comparison_of(), [pair_of()] * 4, seeds)
    assert result.verdicts["test accuracy"] == verdict
    assert result.verdict == (verdict if verdict != "improved" else "unchanged")
    assert "test accuracy, 5 seeds" in [line[0] for line in result_table(result).lines]


def test_four_seeds_are_no_test():
    """No accuracy is judged from fewer seeds than could ever prove anything."""
    seeds = [accuracy_of(seed, 0.98, 0.90) for seed in range(4)]
    assert "test accuracy" not in result_of(comparison_of(), [pair_of()] * 4, seeds).verdicts
