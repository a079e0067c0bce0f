"""What goes wrong because of what a user gave us, in one line each."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # only the validators' callers need it at run time
    from pydantic import ValidationError


class UsageError(Exception):
    """Bad input: one line that names the file or option, the field and the fix; the command exits with 2."""

    def __init__(self, message: str):
        super().__init__(one_line(message))


def first_fault(error: "ValidationError") -> str:
    """The first thing pydantic found, as `field: what is wrong`, on one line."""
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")[:300]
    return one_line(f"{where}: {message}" if where else message)


def one_line(text: str) -> str:
    """Text of any origin as one line without control characters, which could also repaint a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)[:1000]
