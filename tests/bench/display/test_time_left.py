"""How long trials take, in words that say what they are from."""

import pytest

from bench.display.time_left import duration_words, estimate_words, total_words
from bench.plan.estimates import Estimate

EARLIER = Estimate(60.0, "earlier trials", 3)
SIMILAR = Estimate(30.0, "similar cells", 1)
BUDGET = Estimate(40.0, "the budget")
ALL_THREE = "1 from earlier trials, 1 from similar cells, 1 at most, the budget + start"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (99.4, "99 s"), (100, "2 min"), (5_940, "99 min"), (7_500, "2 h 5 min"), (86_400, "24 h 0 min")],
)
def test_duration_is_short_and_whole(seconds: float, expected: str) -> None:
    """Seconds, minutes, or hours with minutes."""
    assert duration_words(seconds) == expected


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (EARLIER, "about 60 s, from 3 earlier trials"),
        (SIMILAR, "about 30 s, from 1 trial of similar cells"),
        (BUDGET, "at most 40 s + start, the budget"),
        (None, "time unknown: no earlier trial, no budget"),
    ],
)
def test_estimate_says_its_basis(estimate: Estimate | None, expected: str) -> None:
    """Nothing known is said to be so."""
    assert estimate_words(estimate) == expected


@pytest.mark.parametrize(
    ("estimates", "expected"),
    [
        (
            [EARLIER, SIMILAR, BUDGET],
            ("about 2 min", "1 from earlier trials, 1 from similar cells, 1 at most, the budget + start"),
        ),
        ([BUDGET, BUDGET], ("at most 80 s + start", "2 at most, the budget + start")),
        ([EARLIER, None], ("at least 60 s", "1 from earlier trials, 1 unknown")),
        ([None], ("unknown", "1 unknown")),
        ([], ("nothing", "")),
    ],
)
def test_total_is_no_surer_than_its_parts(estimates: list[Estimate | None], expected: tuple[str, str]) -> None:
    """A bound stays a bound, and what is unknown makes it a lower one."""
    assert total_words(estimates) == expected
