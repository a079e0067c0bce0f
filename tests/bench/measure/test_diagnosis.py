"""What bounds a cell, told from rounds made by hand."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.diagnosis import COSTS, ROUNDS, Cost, costs_of, diagnose, growth, well_known

INPUT_BOUND = {"as_is": 0.100, "fused": 0.095, "resident": 0.060, "communication": 0.010}
"""Of 100 ms a step 5 go to dispatch, 35 to input, 10 to communication and 50 to computing."""


def rounds_of(step_s: Mapping[str, float], count: int = 12, noise: float = 0.0) -> list[dict[str, float]]:
    """Rounds of these seconds per step, each slower or faster as a whole by 30 % and each side by `noise`."""
    rng = np.random.default_rng(3)
    return [
        {
            side: seconds * common * float(rng.lognormal(0, noise))
            for common in [float(rng.uniform(0.7, 1.3))]
            for side, seconds in step_s.items()
        }
        for _ in range(count)
    ]


def bound_of(rounds: Sequence[Mapping[str, float]]) -> Cost:
    found = diagnose(rounds)
    assert found is not None
    return found.bound_by


def test_costs_by_hand() -> None:
    """Each probe does without one cost more, and what is left is computing."""
    assert costs_of(INPUT_BOUND) == pytest.approx(
        {"input": 0.035, "dispatch": 0.005, "communication": 0.010, "compute": 0.050}
    )


@pytest.mark.parametrize(
    ("step_s", "expected"),
    [
        pytest.param({"as_is": 9.0}, {"compute": 9.0}, id="fused and resident already"),
        pytest.param({"as_is": 9.0, "fused": 7.0}, {"dispatch": 2.0, "compute": 7.0}, id="no input to speak of"),
        pytest.param({"as_is": 9.0, "resident": 4.0}, {"input": 5.0, "compute": 4.0}, id="fused already"),
        pytest.param({"as_is": 9.0, "communication": 1.0}, {"communication": 1.0, "compute": 8.0}, id="replicas"),
    ],
)
def test_what_a_cell_has_no_probe_for_costs_it_nothing(step_s: dict[str, float], expected: dict[Cost, float]) -> None:
    """The chain goes on without the probes that a cell does not have."""
    assert costs_of(step_s) == dict.fromkeys(COSTS, 0.0) | expected


def test_dispatch_that_hides_behind_a_late_input_is_not_the_inputs() -> None:
    """Under `step` the input is taken away first: a step of 100 ms, 20 of them dispatch, that waits till 130 for it."""
    clean = {"as_is": 0.100, "step_resident": 0.100, "resident": 0.080}
    late = {"as_is": 0.130, "step_resident": 0.100, "resident": 0.080}
    grown = growth(rounds_of(clean), rounds_of(late))
    assert {cost: one.value for cost, one in grown.items()} == pytest.approx(
        {"input": 0.30, "dispatch": 0.0, "communication": 0.0, "compute": 0.0}
    )
    assert bound_of(rounds_of(late)) == "input"
    assert bound_of(rounds_of(clean)) == "dispatch"


def test_dispatch_behind_a_late_input_gains_nothing() -> None:
    """A batch comes every 115 ms, a step takes 100, 20 of them dispatch: without that a step still takes 115.

    Where the input costs less than a tenth, and dispatch more, dispatch is named.
    """
    assert bound_of(rounds_of({"as_is": 0.115, "step_resident": 0.100, "resident": 0.080})) == "input"
    assert bound_of(rounds_of({"as_is": 0.105, "step_resident": 0.100, "resident": 0.080})) == "dispatch"


def test_an_input_that_is_taken_away_first_pays_for_no_fusing() -> None:
    """Its gain is that of the engine as it is, so that a fused window that is slower takes nothing from it."""
    assert bound_of(rounds_of({"as_is": 0.10, "step_resident": 0.08, "resident": 0.12})) == "input"
    assert bound_of(rounds_of({"as_is": 0.10, "fused": 0.14, "resident": 0.12})) == "compute"


@pytest.mark.parametrize(
    ("changes", "bound"),
    [
        pytest.param({}, "input", id="input"),
        pytest.param({"fused": 0.070}, "dispatch", id="dispatch"),
        pytest.param({"communication": 0.045}, "communication", id="communication"),
        pytest.param({"fused": 0.099, "resident": 0.095}, "communication", id="communication of exactly a tenth"),
        pytest.param({"fused": 0.099, "resident": 0.090, "communication": 0.005}, "compute", id="small costs"),
        pytest.param({"fused": 0.100, "resident": 0.101, "communication": 0.0001}, "compute", id="hidden input"),
    ],
)
def test_bound_is_the_largest_cost_that_can_be_avoided(changes: dict[str, float], bound: Cost) -> None:
    """Whatever the machine does to whole rounds; costs under a tenth of the step leave computing."""
    assert bound_of(rounds_of(INPUT_BOUND | changes)) == bound


@pytest.mark.parametrize(
    ("step_s", "bound"),
    [
        pytest.param({"as_is": 0.10, "fused": 0.13, "resident": 0.10}, "compute", id="gains nothing"),
        pytest.param({"as_is": 0.10, "fused": 0.13, "resident": 0.085}, "input", id="gains 15 %"),
        pytest.param(
            {"as_is": 0.10, "fused": 0.13, "resident": 0.10, "communication": 0.02}, "communication", id="gains less"
        ),
    ],
)
def test_what_fusing_costs_is_no_gain_of_a_free_input(step_s: dict[str, float], bound: Cost) -> None:
    """Where one dispatch per window is slower than one per step, an input counts for what its removal would save."""
    assert bound_of(rounds_of(step_s)) == bound
    assert bound_of(rounds_of(step_s, 48, noise=0.01)) == bound


def test_shares_are_taken_within_the_round() -> None:
    """Rounds up to 1.9 times as slow as others leave shares as exact as if none were."""
    found = diagnose(rounds_of(INPUT_BOUND))
    assert found is not None
    assert {cost: share.value for cost, share in found.shares.items()} == pytest.approx(
        {"input": 0.35, "dispatch": 0.05, "communication": 0.10, "compute": 0.50}
    )
    assert all(share.half_width < 1e-9 for share in found.shares.values())
    assert found.rounds == 12


def test_input_that_is_ready_in_time_costs_nothing() -> None:
    """An input of any length hides behind the step if the window without it is as long; noise makes it no bound."""
    found = diagnose(rounds_of({"as_is": 0.1, "fused": 0.1, "resident": 0.1}, 48, noise=0.01))
    assert found is not None
    assert found.bound_by == "compute"
    assert found.shares["input"].low < 0 < found.shares["input"].high


def test_cost_that_is_not_proven_is_no_bound() -> None:
    """A fifth of the step that may as well be nothing, as rounds contradict each other, leaves computing."""
    rounds = [{"as_is": 0.1, "resident": resident} for resident in [0.05, 0.11] * 4 + [0.05] * 4]
    found = diagnose(rounds)
    assert found is not None
    assert found.shares["input"].value > 0.15
    assert found.shares["input"].low < 0
    assert found.bound_by == "compute"


def test_few_disturbed_rounds_move_no_share_far() -> None:
    """One of the twelve rounds in which a window was hit leaves the verdict and nearly the figures."""
    rounds = rounds_of(INPUT_BOUND, noise=0.005)
    rounds[4]["fused"] *= 10
    found = diagnose(rounds)
    assert found is not None
    assert found.bound_by == "input"
    assert found.shares["input"].value == pytest.approx(0.35, abs=0.02)


def test_too_few_rounds_say_nothing() -> None:
    """Under seven no interval that errs with a third of 5 % exists."""
    assert diagnose(rounds_of(INPUT_BOUND, 6)) is None
    assert diagnose([]) is None
    assert diagnose(rounds_of(INPUT_BOUND, 7)) is not None


@given(st.fixed_dictionaries({"as_is": st.floats(1e-4, 10)}, optional={
    probe: st.floats(1e-4, 10) for probe in ("fused", "step_resident", "resident", "communication")
}))  # fmt: skip
def test_costs_of_a_round_sum_to_its_step(one: dict[str, float]) -> None:
    """Whatever was measured, the shares of a round sum to 1: nothing is left over or counted twice."""
    shares = {cost: seconds / one["as_is"] for cost, seconds in costs_of(one).items()}
    assert set(shares) == set(COSTS)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-9 * max(one.values()) / one["as_is"])


def test_rounds_end_at_a_look_with_narrow_intervals_or_at_the_last() -> None:
    """Between looks nothing is asked, so twelve clear rounds end it and thirteen do not; 48 end it in any case."""
    clear, unclear = rounds_of(INPUT_BOUND, 48), rounds_of(INPUT_BOUND, 48, noise=0.3)
    assert [count for count in range(49) if well_known(clear[:count])] == list(ROUNDS) == [12, 24, 48]
    assert [count for count in range(49) if well_known(unclear[:count])] == [48]


def test_growth_is_told_by_its_cost() -> None:
    """An input that takes 20 ms more of a step of 100 is 20 % of the step before, and no other cost grew."""
    before = rounds_of(INPUT_BOUND)
    after = [
        {**one, "as_is": one["as_is"] + 0.2 * one["as_is"], "fused": one["fused"] + 0.2 * one["as_is"]}
        for one in before
    ]
    grown = growth(before, after)
    assert {cost: share.value for cost, share in grown.items()} == pytest.approx(
        {"input": 0.2, "dispatch": 0.0, "communication": 0.0, "compute": 0.0}, abs=1e-9
    )


def test_growth_of_too_few_pairs_is_empty() -> None:
    """Five pairs say nothing; unequal numbers of rounds are no pairs."""
    rounds = rounds_of(INPUT_BOUND, 6)
    assert growth(rounds[:5], rounds[:5]) == {}
    assert set(growth(rounds, rounds)) == set(COSTS)
    with pytest.raises(ValueError, match="shorter"):
        growth(rounds, rounds[:5])
