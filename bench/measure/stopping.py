"""When to stop measuring, and how long a window should be. Pure; the parent asks after every window.

The rule: at 32, 64, 128 and 256 windows, and never between, the windows of the warm-up are dropped (`steady_from`)
and the interval of the throughput is computed with windows taken for as correlated as they may well be
(`throughput_interval`), at a quarter of 5 % error (Bonferroni), so that all looks together err in 5 % at most. If
its half width is within the target, measuring stops by `target`; at 256 windows it stops in any case, by
`last_look`; a time budget may end it anywhere, which is then the last of four looks at most. The interval reported
is computed in the same way from all windows, with those that were queued at the stop. Where epochs fix the number
of windows nothing is looked at, and from 64 windows on the whole 5 % are its own; of fewer, too few to show how
strongly they are correlated, it is that of a look. `scripts/coverage.py` shows how often it holds the truth.
"""

import math

import numpy as np

from bench.measure.statistics import CONFIDENCE, Numbers, steady_from, throughput_images_per_s, throughput_interval
from bench.trial import StoppedBy

LOOKS = (32, 64, 128, 256)
"""Only here is the interval looked at; each look may err with a quarter of 5 % (Bonferroni)."""
ENOUGH_FIXED = 64
"""Windows of a number fixed before, from which on the interval at 5 % held the truth in 93 of 100 simulated series of
each kind in `scripts/coverage.py`; of 32 and 48 it did not (89 and 91 at correlations of 0.9)."""
SHORTEST_WINDOW_S = 0.2
WINDOWS_PER_BUFFER = 4
TURNS_PER_WINDOW = 4
"""Into so many turns of 0.05 s a window is cut where two sides take turns. Noise comes in spikes, of which few short
turns have one, and is shared by near ones (docs/findings.md). The centre over rounds leaves out what only few have."""


def alpha_of_a_look() -> float:
    """The error that one look may make."""
    return (1 - CONFIDENCE) / len(LOOKS)


def alpha_of(stopped_by: StoppedBy | None, windows: int) -> float:
    """The error that the interval of so many windows may make: that of a look, unless enough were fixed before.

    The end of a budget, or of a trial that failed (None), is a look too: of four at most, as it precedes the last.
    """
    fixed = stopped_by in {"epochs", "rounds"} and windows >= ENOUGH_FIXED
    return 1 - CONFIDENCE if fixed else alpha_of_a_look()


def window_steps(step_s: float, buffered_batches: int) -> int:
    """Steps K of a window: at least 0.2 s, and at least 4 times the batches that a pause lets pile up.

    Keras's `fit` trains these for nothing; the other engines begin afresh, and fill their buffers again meanwhile.
    """
    return max(math.ceil(SHORTEST_WINDOW_S / step_s), WINDOWS_PER_BUFFER * buffered_batches, 1)


def verdict(steps: Numbers, window_s: Numbers, target: float) -> StoppedBy | None:
    """Why to stop now, or None to go on; `target` is the wanted half width as a share of the throughput."""
    if len(steps) not in LOOKS:
        return None
    all_steps, all_s = np.asarray(steps, float), np.asarray(window_s, float)
    first = steady_from(all_s / all_steps)
    centre = throughput_images_per_s(all_steps[first:], all_s[first:], 1)
    interval = throughput_interval(all_steps[first:], all_s[first:], 1, alpha_of_a_look())
    if centre is not None and interval is not None and interval.half_width(centre) <= target:
        return "target"
    return "last_look" if len(steps) == LOOKS[-1] else None
