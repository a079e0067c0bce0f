"""Throughput as a small moving line."""

import pytest

from bench.display.sparkline import BARS, sparkline


@pytest.mark.parametrize(
    ("values", "width", "expected"),
    [
        ([], 10, ""),
        ([1.0, 2.0], 0, ""),
        ([1.0, 2.0], -3, ""),
        ([0.0, 50.0, 100.0], 10, "▁▅█"),
        ([7.0, 0.0, 50.0, 100.0], 3, "▁▅█"),
        ([0.0, 0.0], 10, "▁▁"),
    ],
)
def test_the_last_values_from_lowest_to_highest(values: list[float], width: int, expected: str) -> None:
    """As many as fit; none without values or room."""
    assert sparkline(values, width) == expected


def test_small_noise_looks_small() -> None:
    """What wanders by 1 % stays within two neighbouring bars; what falls by a third shows."""
    calm = sparkline([100.0, 101.0, 99.0, 100.5], 10)
    assert {BARS.index(bar) for bar in calm} <= {3, 4}
    assert sparkline([100.0, 100.0, 100.0, 66.0], 10)[-1] == BARS[0]
