"""TensorFlow and Keras, imported without what only Keras's pictures and tables take."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_OPTIONAL = "matplotlib", "pandas"
"""Keras imports each where it finds it (keras/src/visualization, keras/src/trainers/data_adapters), which is a fifth of
the seconds that all of it takes, and does without where it does not."""


def import_tensorflow() -> None:
    """Import TensorFlow and Keras; a workload may import what is hidden afterwards, but Keras goes on without.

    So in this process `fit` knows no data frames, and Keras's galleries say that Matplotlib is missing.
    """
    with _hidden(_OPTIONAL):
        import keras  # noqa: F401, PLC0415  # what is asked for here
        import tensorflow as tf  # noqa: F401, PLC0415  # likewise


@contextmanager
def _hidden(names: tuple[str, ...]) -> Iterator[None]:
    """Within the block these packages seem not to be installed, unless they are loaded already."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # as Python's import system documents it for this purpose
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
