"""Where facts about this very machine are kept from run to run, outside of any checkout."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Below $XDG_CACHE_HOME, which its specification wants absolute, or ~/.cache."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "mnist-cnn-bench"
