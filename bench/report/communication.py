"""What all-reduces cost each cell of several replicas, in words."""

from collections.abc import Sequence

from bench.measure.communication import Communication, bus_bytes_per_s
from bench.measure.statistics import Interval
from bench.report.cells import CellSummary
from bench.report.names import short_names
from bench.report.text import significant, with_interval

HEADERS = [
    "cell",
    "n",
    "least\nall-reduce µs",
    "gradient\nKiB",
    "its all-reduce ms\n(fastest–slowest)",
    "algbw / busbw\nMB/s",
    "share of\nstep %",
    "busbw MB/s\nat KiB",
]


def communication_lines(cells: Sequence[CellSummary]) -> list[list[str]]:
    """A line of words for each cell whose all-reduces were measured, in the order of `HEADERS`."""
    names, _ = short_names([cell.cell for cell in cells])
    found = [(name, cell, cell.communication) for name, cell in zip(names, cells, strict=True)]
    return [[name, *_figures(one, cell.step_s_p50)] for name, cell, one in found if one]


def _figures(found: Communication, step_s: float | None) -> list[str]:
    gradient, largest = found.gradient, found.largest
    spread = Interval(1e3 * gradient.fastest_s, 1e3 * gradient.slowest_s)
    most = bus_bytes_per_s(largest.size_bytes, largest.seconds, found.replicas) / 1e6
    return [
        str(found.replicas),
        significant(1e6 * found.least.seconds),
        significant(gradient.size_bytes / 2**10),
        with_interval(1e3 * gradient.seconds, spread),
        f"{significant(found.algorithm_bytes_per_s / 1e6)} / {significant(found.bus_bytes_per_s / 1e6)}",
        significant(100 * found.of_a_step.seconds / step_s if step_s else None),
        f"{significant(most)} at {significant(largest.size_bytes / 2**10)}",
    ]
