"""The gate: every cell of base against head; what is flagged is measured again, and only what fails twice fails."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.guard.live.metrics import SPEEDS
from bench.guard.live.result import EXIT_CODES, Result
from bench.guard.verdict import Inconclusive, Verdict


@dataclass(frozen=True)
class Checked:
    """One cell: what came of it, and what came of it again where that was flagged."""

    cell: str
    first: Result
    again: Result | None = None

    @property
    def last(self) -> Result:
        """The result that counts."""
        return self.again or self.first

    @property
    def failure(self) -> str | None:
        """Why B could not be measured, where it could not twice."""
        return self.last.failure if self.first.failure else None

    @property
    def regressed(self) -> list[str]:
        """The metrics that regressed as often as they were measured; one of speed confirms the other."""
        first, last = _regressed(self.first), _regressed(self.last)
        return sorted(first & last | (last & SPEEDS if first & SPEEDS else set()))

    @property
    def unconfirmed(self) -> bool:
        """Whether it would fail the job, and an interrupt left no time to measure it again."""
        return self.again is None and is_flagged(self.first)

    @property
    def verdict(self) -> Verdict:
        """A regression is one that was found twice; what was found once and not again is as the second time has it."""
        if self.again is None or self.regressed:
            return self.first.verdict
        return "inconclusive" if self.last.failure or self.last.verdict == "regressed" else self.last.verdict


def check(cells: Sequence[str], measure: Callable[[str], Result]) -> list[Checked]:
    """Measure every cell, and again on fresh processes each that regressed or a side of which failed."""
    firsts = [(cell, measure(cell)) for cell in cells]
    return [Checked(cell, first, measure(cell) if is_flagged(first) else None) for cell, first in firsts]


def is_flagged(result: Result) -> bool:
    """Whether it would fail the job."""
    return result.failure is not None or result.verdict in {"regressed", "not comparable"}


def exit_code_of(checked: Sequence[Checked], inconclusive: Inconclusive) -> int:
    """The worst of all cells: 1 for a regression or a failure, 3 for what is not clear, unless that passes.

    4 where no cell could be compared; one among others that could is not clear.
    """
    if any(one.failure or one.verdict == "regressed" for one in checked):
        return 1
    codes = {EXIT_CODES[one.verdict] for one in checked}
    if codes == {4}:
        return 4
    return 3 if codes & {3, 4} and inconclusive == "fail" else 0


def _regressed(result: Result) -> set[str]:
    if result.failure or result.verdict != "regressed":
        return set()
    return {name for name, verdict in result.verdicts.items() if verdict == "regressed"}
