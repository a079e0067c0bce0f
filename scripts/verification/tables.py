"""Markdown tables, and shares as words."""

from collections.abc import Sequence


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table without a line end."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [headers, ["---"] * len(headers), *rows])


def percent(share: float) -> str:
    """About three digits of a share."""
    value = round(100 * share, 9)
    return (
        f"{value:.0f} %"
        if abs(value) >= 99.95 or value == round(value)
        else f"{value:.1f} %"
        if abs(value) >= 1
        else f"{value:.2f} %"
    )
