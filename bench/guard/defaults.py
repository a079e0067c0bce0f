"""What is taken where nothing is asked for, told here so that help needs nothing heavy to show it."""

PAIR_S = 15.0
"""Most seconds of windows in a pair."""
