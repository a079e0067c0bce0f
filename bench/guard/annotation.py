"""GitHub's workflow commands for what needs attention (its documentation, "Workflow commands")."""

from typing import Literal

from bench.report.text import printable

Level = Literal["error", "warning"]
_ESCAPES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})


def annotation(level: Level, text: str) -> str:
    """The line that a workflow shows as an error or a warning; text of any origin is words in it."""
    return f"::{level} title=bench guard::{printable(text).translate(_ESCAPES)}"
