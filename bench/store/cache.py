"""Where facts about this very machine are kept from run to run, outside of any checkout."""

import os
from pathlib import Path

_MOST_BYTES = 1_000_000


def cache_folder() -> Path:
    """Below $XDG_CACHE_HOME, which its specification wants absolute, or ~/.cache."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "mnist-cnn-bench"


def cached_content(path: Path) -> bytes:
    """The bytes of a plain file of a sensible size; anything else, such as a pipe that never ends, raises OSError."""
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        raise OSError(0, "not a file of measurements")
    return path.read_bytes()
