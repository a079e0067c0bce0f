"""TensorFlow and Keras, imported without what a worker has no use for."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_OPTIONAL = "matplotlib", "pandas", "scipy"
"""Imported where they are found (keras/src/visualization, keras/src/trainers/data_adapters, and in TensorFlow's older
Keras python/keras/engine/training_arrays_v1.py), and done without where they are not."""


def import_tensorflow() -> None:
    """Import TensorFlow and Keras; a workload may import what is hidden afterwards, but Keras goes on without.

    So in this process `fit` knows no data frames, and Keras's galleries say that Matplotlib is missing.
    """
    with _hidden(_OPTIONAL), _without_collecting():
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


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Within the block nobody looks for garbage, of which there is hardly any among what is being imported."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
