"""The centre of paired figures against values worked out by hand, SciPy and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, wilcoxon

from bench.measure.paired import Centre, centre_of, fewest


def test_centre_of_six_by_hand() -> None:
    """The 21 Walsh averages of 1, 2, 4, 8, 16, 32 have 8½ in their middle; the interval is from the first to the last.

    Signed ranks of six have mean 10.5 and sd sqrt(22.75) = 4.77, so k = floor(10.5 - 1.96 x 4.77) = 1.
    """
    assert centre_of([1, 2, 4, 8, 16, 32]) == Centre(8.5, 1.0, 32.0)


def test_bounds_of_ten_by_hand() -> None:
    """Of ten, k = floor(27.5 - 1.96 x sqrt(96.25)) = 8: the eighth Walsh average from either end.

    Of 0 to 9 these rise 0, ½, 1, 1, 1½, 1½, 2, 2, 2, 2½ …, and the same from 9 down; the middle is 4½.
    """
    assert centre_of(range(10)) == Centre(4.5, 2.0, 7.0)


def test_smaller_error_widens_the_interval() -> None:
    """At 0.3 % the same ten have k = floor(27.5 - 2.968 x sqrt(96.25)) < 1, so the first average from either end.

    Nine could not reach that: their signs alone come out so in 2 of 512 cases.
    """
    assert centre_of(range(10), 0.003) == Centre(4.5, 0.0, 9.0)
    assert centre_of(range(9), 0.003) is None


def test_half_width_is_the_larger_side() -> None:
    """From 3 it is 1 down and 2 up."""
    assert Centre(3.0, 2.0, 5.0).half_width == 2.0
    assert Centre(3.0, 0.0, 5.0).half_width == 3.0


def test_fewer_than_six_have_no_centre() -> None:
    """Five values could not reach 95 % however they lie: the signs alone come out so in 2 of 32 cases."""
    assert fewest() == 6
    assert centre_of([1.0] * 5) is None
    assert centre_of([]) is None
    assert centre_of([1.0] * 6) == Centre(1.0, 1.0, 1.0)


@pytest.mark.parametrize("count", [6, 12, 24, 48])
def test_interval_is_what_the_signed_rank_test_does_not_reject(count: int) -> None:
    """Shifts that SciPy's exact test keeps at 5 % lie within; beyond the interval it rejects, as k is rounded down."""
    values = np.random.default_rng(count).gamma(2.0, size=count)
    centre = centre_of(values.tolist())
    assert centre is not None

    def p_value(shift: float) -> float:
        return float(wilcoxon(values - shift, method="exact").pvalue)

    nudge = 1e-9
    assert p_value(centre.low - nudge) < 0.05
    assert p_value(centre.high + nudge) < 0.05
    assert p_value(centre.value + nudge) > 0.5
    walsh = np.sort(np.add.outer(values, values)[np.triu_indices(count)] / 2)
    steps_in = np.searchsorted(walsh, centre.low) + 3
    # three averages further in it does not reject: the interval is no wider than it must be
    assert p_value(float(walsh[steps_in]) + nudge) > 0.05


@given(
    st.lists(st.floats(-100, 100), min_size=6, max_size=30), st.floats(-50, 50), st.sampled_from([0.25, 1.0, 4.0, -2.0])
)
def test_centre_moves_and_stretches_with_the_values(values: list[float], shift: float, factor: float) -> None:
    """Other units and another zero give the same centre in those; within its interval, which is within the data."""
    centre, moved = centre_of(values), centre_of([factor * value + shift for value in values])
    assert centre is not None
    assert moved is not None
    assert min(values) <= centre.low <= centre.value <= centre.high <= max(values)
    bounds = sorted([factor * centre.low + shift, factor * centre.high + shift])
    assert [moved.low, moved.high] == pytest.approx(bounds, abs=1e-9)
    assert moved.value == pytest.approx(factor * centre.value + shift, abs=1e-9)


@pytest.mark.parametrize("count", [6, 12, 24])
@pytest.mark.parametrize("shape", ["normal", "spiked", "skewed pairs"])
def test_interval_covers_as_often_as_it_says(count: int, shape: str) -> None:
    """Of 1,000 intervals 935 or more hold the truth, also where one value in twenty is ten times as far off."""
    rng = np.random.default_rng(5)
    series = rng.standard_normal((1000, count))
    if shape == "spiked":
        series *= np.where(rng.random(series.shape) < 0.05, 10.0, 1.0)
    if shape == "skewed pairs":
        # the difference of two skewed times of one kind is symmetric
        series = rng.lognormal(0, 1, series.shape) - rng.lognormal(0, 1, series.shape)
    centres = [centre_of(values) for values in series.tolist()]
    held = sum(centre is not None and centre.low <= 0 <= centre.high for centre in centres)
    assert held >= 935


def test_spikes_widen_it_less_than_a_t_interval() -> None:
    """With 5 % of the values far off, 200 half widths are on average well below those of normal intervals."""
    rng = np.random.default_rng(6)
    series = rng.standard_normal((200, 24)) * np.where(rng.random((200, 24)) < 0.05, 20.0, 1.0)
    centres = [centre_of(values) for values in series.tolist()]
    widths = [centre.half_width for centre in centres if centre is not None]
    normal = norm.ppf(0.975) * series.std(axis=1, ddof=1) / math.sqrt(24)
    assert len(widths) == 200
    assert np.mean(widths) < 0.8 * normal.mean()
