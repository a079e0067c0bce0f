"""How long the rest of a run takes, in words that say what they are from."""

from collections import Counter
from collections.abc import Sequence

from bench.plan.estimates import Basis, Estimate

UNKNOWN = "unknown"
_WORDS: dict[Basis | None, str] = {
    "earlier trials": "{} from earlier trials",
    "similar cells": "{} from similar cells",
    "the budget": "{} at most, the budget + start",
    None: "{} unknown",
}


def duration_words(seconds: float) -> str:
    """Seconds for people: 42 s, 12 min, 2 h 5 min."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def estimate_words(estimate: Estimate | None) -> str:
    """One trial's estimate with its basis; it says so where nothing is known."""
    if estimate is None:
        return "time unknown: no earlier trial, no budget"
    if estimate.basis == "the budget":
        return f"at most {duration_words(estimate.seconds)} + start, the budget"
    trials = f"trial{'s' * (estimate.trials != 1)}"
    of = f"earlier {trials}" if estimate.basis == "earlier trials" else f"{trials} of similar cells"
    return f"about {duration_words(estimate.seconds)}, from {estimate.trials} {of}"


def total_words(estimates: Sequence[Estimate | None]) -> tuple[str, str]:
    """How long some trials take together, and from what that is known, counted."""
    known = [estimate for estimate in estimates if estimate]
    bases: Counter[Basis | None] = Counter(estimate.basis if estimate else None for estimate in estimates)
    told = ", ".join(words.format(bases[basis]) for basis, words in _WORDS.items() if bases[basis])
    if not known:
        return (UNKNOWN, told) if estimates else ("nothing", "")
    seconds = sum(estimate.seconds for estimate in known)
    if set(bases) == {"the budget"}:
        return f"at most {duration_words(seconds)} + start", told
    return f"{'at least' if None in bases else 'about'} {duration_words(seconds)}", told
