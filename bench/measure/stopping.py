"""When to stop measuring, and how long a window should be. Pure; the parent asks after every window."""

import math
from collections.abc import Sequence

from bench.measure.statistics import CONFIDENCE, steady_from, throughput_images_per_s, throughput_interval
from bench.trial import StoppedBy

LOOKS = (32, 64, 128, 256)
"""Only here is the interval looked at; each look may err with a quarter of 5 % (Bonferroni)."""
SHORTEST_WINDOW_S = 0.2
WINDOWS_PER_BUFFER = 4


def alpha_of_a_look() -> float:
    """The error that one look may make."""
    return (1 - CONFIDENCE) / len(LOOKS)


def window_steps(step_s: float, buffered_batches: int) -> int:
    """Steps K of a window: at least 0.2 s, and at least 4 times the batches that a pause lets pile up."""
    return max(math.ceil(SHORTEST_WINDOW_S / step_s), WINDOWS_PER_BUFFER * buffered_batches, 1)


def verdict(steps: Sequence[int], window_s: Sequence[float], target: float) -> StoppedBy | None:
    """Why to stop now, or None to go on; `target` is the wanted half width as a share of the throughput."""
    if len(steps) not in LOOKS:
        return None
    first = steady_from([seconds / count for seconds, count in zip(window_s, steps, strict=True)])
    centre = throughput_images_per_s(steps[first:], window_s[first:], 1)
    interval = throughput_interval(steps[first:], window_s[first:], 1, alpha_of_a_look())
    if centre is not None and interval is not None and interval.half_width(centre) <= target:
        return "target"
    return "last_look" if len(steps) == LOOKS[-1] else None
