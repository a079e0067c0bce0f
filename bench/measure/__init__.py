"""The arithmetic and the readings beneath all stages; no TensorFlow."""
