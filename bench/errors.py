"""What goes wrong because of what a user gave us, in one line each."""

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # only the validators' callers need it at run time
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_WORDS = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a table of settings",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "extra_forbidden": "unknown; leave it out",
    "missing": "missing; add it",
    "too_short": "at least {min_length}, not {actual_length}",
}
"""What would be right, by pydantic's names of faults: its own words are for programmers."""


class UsageError(Exception):
    """Bad input: one line that names the file or option, the field and the fix; the command exits with 2."""

    def __init__(self, message: str):
        super().__init__(one_line(message))


def first_fault(error: "ValidationError") -> str:
    """The first thing pydantic found, as `field: what is wrong`, on one line."""
    fault = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    message = _in_words(fault)[:300]
    return one_line(f"{where}: {message}" if where else message)


def _in_words(fault: "ErrorDetails") -> str:
    context = fault.get("ctx", {})
    if fault["type"] == "literal_error" and (known := re.findall("'([^']+)'", context["expected"])):
        near = did_you_mean(fault["input"], known) if isinstance(fault["input"], str) else ""
        return f"one of {', '.join(known)}{near}"
    if (words := _WORDS.get(fault["type"])) is not None:
        return words.format_map(context)
    return fault["msg"].removeprefix("Value error, ")


def did_you_mean(word: str, known: Iterable[str], ending: str = "") -> str:
    """The nearest of the words that are known, with its `ending`, as the end of a message; empty if none is near."""
    near = difflib.get_close_matches(word[:_LONGEST_WORD], sorted(known), 1)
    return f"; did you mean {near[0] + ending!r}?" if near else ""


_LONGEST_WORD = 100
"""Looking for what is near takes its time, and no known word is as long."""


def one_line(text: str) -> str:
    """Text of any origin as one line without control characters, which could also repaint a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)[:1000]
