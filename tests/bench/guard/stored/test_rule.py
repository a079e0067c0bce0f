"""One run against five: the arithmetic, the words, and how often they are wrong."""

import math

import numpy as np
import pytest

from bench.guard.stored.rule import Shift, shift_of, verdicts
from bench.guard.verdict import exit_code, holm

SPREAD = math.sqrt(0.02 / 4)
RUNS = [0.1, -0.1, 0.0, 0.0, 0.0]
T4 = 2.776445


def words(*values, error=0.005, margin=0.02, two_sided=True):
    shifts = [Shift(value, error, error, 5) for value in values]
    return verdicts(shifts, [margin] * len(values), two_sided=[two_sided] * len(values))


def test_shift_is_a_prediction_interval():
    """Five runs at 0 ± 0.0707, a sixth at 0.3: error 0.0707 × √1.2, times t with 4 degrees of freedom."""
    shift = shift_of(0.3, RUNS, floor=0.001)
    assert shift.value == pytest.approx(0.3)
    assert shift.spread == pytest.approx(SPREAD)
    assert shift.error == pytest.approx(SPREAD * math.sqrt(1.2))
    assert shift.reach() == pytest.approx(T4 * SPREAD * math.sqrt(1.2), rel=1e-5)


def test_runs_that_agree_to_the_last_byte_have_the_floor():
    """No spread at all is taken for the least to believe in, so that nothing is divided by zero."""
    shift = shift_of(0.01, [0.0] * 5, floor=0.002)
    assert shift.spread == 0.002
    assert shift.error == pytest.approx(0.002 * math.sqrt(1.2))


def test_a_run_of_fewer_processes_varies_more():
    """One process against runs of four may vary with twice their standard deviation; more of them are no help."""
    assert shift_of(0, RUNS, floor=0, fewer=4).error == pytest.approx(SPREAD * math.sqrt(4 + 0.2))
    assert shift_of(0, RUNS, floor=0, fewer=0.25).error == pytest.approx(SPREAD * math.sqrt(1.2))


def test_a_run_is_not_known_better_than_its_windows_tell():
    """A run with noise of its own that the baseline did not have gets that noise."""
    assert shift_of(0, RUNS, floor=0, own_error=1).error == pytest.approx(math.sqrt(1 + 0.02 / 20))


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (-0.02 - T4 * 0.005 - 1e-6, "regressed"),
        (-0.02 - T4 * 0.005 + 1e-6, "inconclusive"),
        (0.02 + T4 * 0.005 + 1e-6, "improved"),
        (0.02 + T4 * 0.005 - 1e-6, "inconclusive"),
        (0.0, "unchanged"),
        (0.02 - 2.131847 * 0.005 - 1e-6, "unchanged"),
        (0.02 - 2.131847 * 0.005 + 1e-6, "inconclusive"),
    ],
)
def test_words_of_a_single_figure(value, verdict):
    """Beyond the margin by the 95 % interval, or within it by two one-sided tests at 5 %; else nothing is certain."""
    assert words(value) == [verdict]


def test_better_than_the_margin_is_not_worse_where_only_that_is_asked():
    """A figure of which only worse matters is unchanged once it is shown to be no worse."""
    assert words(0.02, two_sided=False) == ["unchanged"]
    assert words(0.02) == ["inconclusive"]
    assert words(-0.02, two_sided=False) == ["inconclusive"]


def test_many_figures_take_more_proof():
    """What is just beyond the margin alone is not when twenty were looked at; what is far beyond still is."""
    slower = -0.02 - 3.5 * 0.005
    assert words(slower) == ["regressed"]
    assert words(slower, *[0.0] * 19) == ["inconclusive", *["unchanged"] * 19]
    assert words(-0.2, *[0.0] * 19)[0] == "regressed"


def test_holm_by_hand():
    """0.01, 0.04, 0.03 of three: 3 × 0.01, then 2 × 0.03, then 0.04, which may not be below the one before."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_identical_runs_are_seldom_called_changed():
    """Of 400 suites of ten equal cells some 5 % have any cell called changed without a margin; 15 % slower is found."""
    rng = np.random.default_rng(2)
    alarms = found = 0
    for suite in rng.normal(0, 0.02, (400, 10, 6)):
        equal = [shift_of(cell[0], list(cell[1:]), floor=0.002) for cell in suite]
        alarms += bool({"regressed", "improved"} & set(verdicts(equal, [0.0] * 10, two_sided=[True] * 10)))
        slower = shift_of(suite[0][0] - 0.15, list(suite[0][1:]), floor=0.002)
        found += verdicts([slower], [0.02], two_sided=[True]) == ["regressed"]
    assert alarms / 400 < 0.08
    assert found / 400 > 0.9


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (["unchanged", "regressed", "inconclusive"], 1),
        (["unchanged", "invalid"], 1),
        (["unchanged", "inconclusive", "not comparable"], 3),
        (["improved", "unchanged", "not comparable"], 0),
        (["not comparable"], 4),
        ([], 4),
    ],
)
def test_exit_codes(found, code):
    """The worst verdict decides; nothing comparable is never a pass."""
    assert exit_code(found) == code


def test_inconclusive_may_pass():
    """Where the user says so, and only that."""
    assert exit_code(["inconclusive"], "pass") == 0
    assert exit_code(["inconclusive", "regressed"], "pass") == 1
