"""k of N, with the bound that so few allow."""

from collections.abc import Sequence
from dataclasses import dataclass

from outcomes import Verdict
from scipy.special import betaincinv

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Count:
    """How often something was so, of how many times."""

    k: int
    n: int

    @property
    def at_most(self) -> float:
        """The one-sided 95 % bound of the share from above (Clopper & Pearson 1934)."""
        return float(betaincinv(self.k + 1, self.n - self.k, CONFIDENCE)) if self.k < self.n else 1.0

    @property
    def at_least(self) -> float:
        """The same from below."""
        return float(betaincinv(self.k, self.n - self.k + 1, 1 - CONFIDENCE)) if self.k else 0.0

    def __str__(self) -> str:
        return f"{self.k} of {self.n}"


def count(flags: Sequence[bool]) -> Count:
    """How many are set."""
    return Count(sum(flags), len(flags))


def at_most(found: Count, limit: float) -> Verdict:
    """Whether a share is proven to be within a limit, proven to be beyond it, or neither."""
    if not found.n:
        return "unsure"
    return "holds" if found.at_most <= limit else "FAILS" if found.at_least > limit else "unsure"


def at_least(found: Count, limit: float) -> Verdict:
    """The same of a share that is to be high."""
    if not found.n:
        return "unsure"
    return "holds" if found.at_least >= limit else "FAILS" if found.at_most < limit else "unsure"
