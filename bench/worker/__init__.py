"""Stage 2, the child's side, and the only TensorFlow of this package."""
