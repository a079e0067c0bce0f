"""Throughput as a small moving line of bars."""

from collections.abc import Sequence
from statistics import median

BARS = "▁▂▃▄▅▆▇█"
LEAST_SWING = 0.1
"""Of the median, up and down: what wanders less looks as calm as it is."""


def sparkline(values: Sequence[float], width: int) -> str:
    """The last `width` values, from the lowest of them to the highest, and at least 10 % around their median."""
    shown = values[-width:] if width > 0 else ()
    if not shown:
        return ""
    centre = median(shown)
    low = min(*shown, (1 - LEAST_SWING) * centre)
    high = max(*shown, (1 + LEAST_SWING) * centre)
    places = (int(len(BARS) * (value - low) / (high - low or 1)) for value in shown)
    return "".join(BARS[min(place, len(BARS) - 1)] for place in places)
