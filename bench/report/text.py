"""Words from files made safe for where they are shown, and numbers made short for people."""

import html
import math
import re
import unicodedata
from collections.abc import Sequence

from bench.measure.statistics import Interval

LONGEST_NOTE = 400
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""A spreadsheet runs text that starts so as a formula; some fold the full-width forms into the plain ones."""
_MARKDOWN = re.compile(r"[\\`*\[\]|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")

_OPENS_BLOCK = re.compile(r"^(\d*)([#.)+=-](?=[\s#=-]|$))")
"""What at the begin of a line makes it a heading, a list or a rule."""


def printable(text: str) -> str:
    """One line without control, direction-changing or unpaired surrogate characters."""
    if text.isascii() and text.isprintable():  # nearly all of a large table; looking at each sign takes its time
        return " ".join(text.split())
    kept = (" " if unicodedata.category(sign) in _UNPRINTABLE else sign for sign in text)
    return " ".join("".join(kept).split())


_UNPRINTABLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}


def shorten(text: str, longest: int = LONGEST_NOTE) -> str:
    """At most `longest` characters of one printable line."""
    line = printable(text)
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def markdown(text: str) -> str:
    """Text that a Markdown reader shows as it is: no HTML, link, emphasis, heading, list or further table cell."""
    inside = _MARKDOWN.sub(r"\\\g<0>", printable(text))
    return html.escape(_OPENS_BLOCK.sub(r"\1\\\2", inside), quote=False)


def spreadsheet(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    line = printable(text)
    return f"'{line}" if line.startswith(_FORMULA) else line


def significant(value: float | None) -> str:
    """About three significant digits, thousands grouped, never an exponent; empty for None."""
    return "" if value is None else f"{value:,.{_decimals(value)}f}"


def _decimals(value: float) -> int:
    return min(max(2 - math.floor(math.log10(abs(value))), 0), 6) if value and math.isfinite(value) else 0


def percent(share: float | None) -> str:
    """A share as a percentage without its sign, e.g. 98.93; empty for None."""
    return "" if share is None else f"{100 * share:.2f}"


def mebibytes(size_bytes: float | None) -> str:
    """Bytes as whole MiB, e.g. 1,024; empty for None."""
    return "" if size_bytes is None else f"{size_bytes / 2**20:,.0f}"


def with_interval(value: float | None, interval: Interval | None) -> str:
    """A figure and its bounds to the same decimals, e.g. 4,012 (3,950–4,077); empty for None."""
    if value is None:
        return ""
    if interval is None:
        return significant(value)
    places = _decimals(value)
    return f"{value:,.{places}f} ({interval.low:,.{places}f}–{interval.high:,.{places}f})"


def named(names: Sequence[str], most: int = 6) -> str:
    """The first few names, and how many more there are."""
    return ", ".join(names[:most]) + f" and {len(names) - most} more" * (len(names) > most)


def step_ms(p50_s: float | None, p90_s: float | None) -> str:
    """Two quantiles of the step time in ms, e.g. 50.0 / 50.2; empty where it was not measured."""
    return "" if p50_s is None or p90_s is None else f"{significant(1000 * p50_s)} / {significant(1000 * p90_s)}"
