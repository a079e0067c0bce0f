"""Verdicts on B relative to A: the words, when a difference deserves which, and what a program is told."""

from collections.abc import Iterable, Sequence
from typing import Literal

from bench.errors import one_line

Verdict = Literal["regressed", "improved", "unchanged", "inconclusive", "invalid", "not comparable"]
Inconclusive = Literal["fail", "pass"]
"""What becomes of a judgement that is not certain either way."""
WORST_FIRST: tuple[Verdict, ...] = ("regressed", "invalid", "inconclusive", "improved", "unchanged", "not comparable")
OUTCOMES = {0: "passed", 1: "failed", 3: "not clear", 4: "nothing comparable", 130: "interrupted"}
"""What the exit code of a gate says in words."""


def exit_code(verdicts: Iterable[Verdict], inconclusive: Inconclusive = "fail") -> int:
    """Regressed or invalid 1, else inconclusive 3 unless that passes, else 0; 4 where nothing could be compared."""
    found = set(verdicts)
    if found & {"regressed", "invalid"}:
        return 1
    if "inconclusive" in found and inconclusive == "fail":
        return 3
    return 0 if found - {"not comparable"} else 4


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p-value adjusted for all of them (Holm 1979, "A simple sequentially rejective multiple test procedure").

    The i-th smallest of m, from 1 on, times m - i + 1, and never below one before it; 1 at most.
    """
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


class IncomparableError(Exception):
    """Why no verdict can be given at all, in one line that says what would help; the command exits with 4."""

    def __init__(self, message: str):
        super().__init__(one_line(message))
