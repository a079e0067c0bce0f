"""How much longer a step is with what was planted: uninterrupted windows of fresh workers, none of the guard's code."""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

from planted import Effect, effect_of
from scipy.stats import t

from bench.trial import Cell

WINDOW_S, ROUNDS = 0.4, 30
"""Of windows, in each pair of processes: 12 s of each side."""


def measured_effects(scratch: Path, cell: Cell, clean: Path, planted: Path, processes: int) -> list[Effect]:
    """What each pair of processes says; which tree's worker starts first, and is the older, alternates."""
    return [
        _turned(effect_of(scratch, cell, (planted, clean), ROUNDS, WINDOW_S))
        if number % 2
        else effect_of(scratch, cell, (clean, planted), ROUNDS, WINDOW_S)
        for number in range(processes)
    ]


def _turned(effect: Effect) -> Effect:
    """Of planted over clean, what was told of clean over planted."""
    return Effect(step_s=effect.step_s * (1 + effect.share), share=1 / (1 + effect.share) - 1)


def mean_share(shares: Sequence[float]) -> tuple[float, float, float]:
    """How much longer a step is, and its bounds: Student's 95 % interval of the logarithms of processes' ratios."""
    logs = [math.log1p(share) for share in shares]
    half = t.ppf(0.975, len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))
    return (math.expm1(fmean(logs)), math.expm1(fmean(logs) - half), math.expm1(fmean(logs) + half))
