"""The rule of a live comparison on numbers that can be checked by hand."""

import math
import random

import pytest

from bench.guard.live.metrics import ASSUMED
from bench.guard.live.rule import LOOKS, Known, estimate_of, power_at, smallest_effect, verdict_of

T_3 = 5.556102
"""Student's t with 3 degrees of freedom that half of what a look may err, 1.15 %, lies above."""


def test_quantile_is_that_of_the_closed_form():
    """With 3 degrees of freedom the distribution has one: 1/2 + (x / (1 + x²) + arctan x) / π for x = t / √3."""
    x = T_3 / math.sqrt(3)
    assert 0.5 + (x / (1 + x * x) + math.atan(x)) / math.pi == pytest.approx(1 - 0.0115 / 2, abs=1e-7)


def test_interval_is_students_at_the_error_of_a_look():
    """Four values 0.01 apart: mean 0.015, standard deviation 0.01291, and 1.15 % for a look."""
    estimate = estimate_of([0.0, 0.01, 0.02, 0.03], Known(0.0))
    assert estimate
    assert estimate.centre == pytest.approx(0.015)
    assert estimate.sd == pytest.approx(0.0129099, rel=1e-4)
    assert estimate.high - estimate.centre == pytest.approx(T_3 * 0.0129099 / 2, rel=1e-3)
    assert estimate.centre - estimate.low == pytest.approx(estimate.high - estimate.centre)


def test_values_that_happen_to_agree_prove_nothing():
    """What is known is the least that an interval rests on."""
    estimate = estimate_of([-0.05] * 4, Known(0.01))
    assert estimate
    assert estimate.sd == 0.01
    assert estimate.high == pytest.approx(-0.05 + T_3 * 0.01 / 2, rel=1e-3)


def test_recorded_noise_counts_for_as_many_pairs_as_it_rests_on():
    """Pooled by freedom: 3 of the pairs' own 0.0129² and 8 of 0.02², and t with 11 degrees, which is 3.0275."""
    estimate = estimate_of([0.0, 0.01, 0.02, 0.03], Known(0.02, 8))
    assert estimate
    assert estimate.sd == pytest.approx(math.sqrt((3 * 0.0129099**2 + 8 * 0.0004) / 11), rel=1e-4)
    assert estimate.high - estimate.centre == pytest.approx(3.0275 * estimate.sd / 2, rel=1e-3)


@pytest.mark.parametrize("known", [0.01, 0.012, 0.0138])
def test_pairs_that_vary_more_than_is_known_stand_alone(known: float):
    """A deviation of 0.0129 which is more than half of such fours have: their own, by 3 degrees of freedom.

    The median of F with 3 and 8 degrees of freedom is 0.86, so that 0.0129 is pooled from a known 0.0139 on.
    """
    estimate = estimate_of([0.0, 0.01, 0.02, 0.03], Known(known, 8))
    assert estimate
    assert estimate.sd == pytest.approx(0.0129099, rel=1e-4)
    assert estimate.high - estimate.centre == pytest.approx(T_3 * 0.0129099 / 2, rel=1e-3)


@pytest.mark.parametrize("known", [ASSUMED, Known(0.01, 12)])
@pytest.mark.parametrize("sd", [0.005, 0.01, 0.015, 0.02, 0.03, 0.06])
def test_intervals_hold_at_95_percent_over_all_looks(sd: float, known: Known):
    """Whatever pairs differ by and whatever is thought to be known, 1 in 20 comparisons at most misses the truth.

    Of 3,000 made-up ones 5 % are 150, with a standard error of 12.
    """
    rng, missed = random.Random(7), 0
    for _ in range(3000):
        values = [rng.gauss(0.0, sd) for _ in range(LOOKS[-1])]
        estimates = [estimate_of(values[:look], known) for look in LOOKS]
        missed += any(one is None or not one.low <= 0 <= one.high for one in estimates)
    assert missed <= 150 + 2.5 * 12


@pytest.mark.parametrize("sd", [0.005, 0.02, 0.05, 0.1])
def test_a_machine_noisier_than_assumed_raises_no_false_alarm(sd: float):
    """Whatever identical pairs vary by, at most 1 in 100 comparisons is called a regression over all looks."""
    rng, flagged = random.Random(3), 0
    for _ in range(3000):
        values = [rng.gauss(0.0, sd) for _ in range(LOOKS[-1])]
        verdicts = [verdict_of(estimate_of(values[:look], ASSUMED), 0.02) for look in LOOKS]
        flagged += "regressed" in verdicts
    assert flagged <= 30


def test_one_pair_is_no_estimate():
    """A single pair says nothing about how pairs differ."""
    assert estimate_of([0.1], Known(0.01)) is None
    assert verdict_of(None, 0.02) == "inconclusive"


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([-0.051, -0.050, -0.049, -0.050], "regressed"),
        ([0.051, 0.050, 0.049, 0.050], "improved"),
        ([0.001, -0.001, 0.0005, -0.0005], "unchanged"),
        ([-0.020, -0.021, -0.022, -0.019], "inconclusive"),
        ([-0.09, 0.01, -0.08, 0.02], "inconclusive"),
    ],
)
def test_verdict_needs_the_whole_interval(values: list[float], verdict: str):
    """Beyond the margin of 2 % on one side, within it on both, or no verdict."""
    assert verdict_of(estimate_of(values, Known(0.0005)), 0.02) == verdict


def test_less_is_better_for_memory():
    """What grew by a tenth has regressed where less is better, and improved where more is."""
    grown = estimate_of([0.095, 0.096, 0.095, 0.096], Known(0.001))
    assert verdict_of(grown, 0.04, more_is_better=False) == "regressed"
    assert verdict_of(grown, 0.04) == "improved"


def test_margin_is_as_far_up_as_down():
    """A slow-down to 98 % and the speed-up that undoes it lie equally far from the margin."""
    just_within = math.log(0.9801)
    for sign in (1, -1):
        assert verdict_of(estimate_of([sign * just_within] * 4, Known(1e-9)), 0.02) == "unchanged"


@pytest.mark.parametrize("pairs", LOOKS)
def test_smallest_effect_has_the_power_it_claims(pairs: int):
    """Simulated slow-downs of the smallest visible effect are found by one look in 95 of 100 comparisons."""
    known, margin = Known(0.008), 0.02
    effect = smallest_effect(known, margin, pairs)
    assert power_at(effect, known, margin, pairs) == pytest.approx(0.95, abs=1e-6)
    rng = random.Random(pairs)
    found = 0
    for _ in range(2000):
        values = [rng.gauss(math.log1p(-effect), known.sd) for _ in range(pairs)]
        found += verdict_of(estimate_of(values, Known(0.0)), margin) == "regressed"  # whose floor would add to it
    assert found / 2000 == pytest.approx(0.95, abs=0.025)


def test_identical_code_is_hardly_ever_flagged():
    """Over all looks together, 4,000 comparisons of identical code whose pairs differ by 2 % flag next to none."""
    rng, flagged = random.Random(1), 0
    for _ in range(4000):
        values = [rng.gauss(0.0, 0.02) for _ in range(LOOKS[-1])]
        verdicts = [verdict_of(estimate_of(values[:look], Known(0.006)), 0.02) for look in LOOKS]
        flagged += "regressed" in verdicts
    assert flagged <= 20
