"""The pytest-benchmark front door: `pytest bench/perf --benchmark-only` times windows of live training sessions.

Each test is a cell, each round a window of it. What the rounds are timed as is seconds per image, so that runs compare
whatever their windows' lengths, and the column OPS reads as images/s. All of pytest-benchmark's options work; its
clock, and how long to run, are this package's: see `--bench-windows` and its neighbours in `pytest bench/perf --help`.
"""
