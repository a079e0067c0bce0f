"""A cell's strategy as a live tf.distribute object."""

from collections.abc import Sequence

import tensorflow as tf

from bench.trial import Cell


def build_strategy(cell: Cell, device_names: Sequence[str]) -> tf.distribute.Strategy:
    """Build the strategy over the configured devices; `default` is TensorFlow's own no-strategy."""
    if cell.strategy == "mirrored":
        return tf.distribute.MirroredStrategy(list(device_names))
    if cell.strategy == "one_device":
        return tf.distribute.OneDeviceStrategy(device_names[0])
    return tf.distribute.get_strategy()
