"""The pictures of a run: each draws a PNG only if there is something to draw, and says whether it did."""

from collections.abc import Callable, Sequence
from pathlib import Path

from bench.report.accuracy import plot_accuracy
from bench.report.by_batch import plot_memory, plot_throughput
from bench.report.cells import CellSummary
from bench.report.curves import plot_history
from bench.report.roofline import plot_roofline
from bench.report.scaling_plot import plot_scaling

PLOTS: dict[str, Callable[[Path, Sequence[CellSummary]], Path | None]] = {
    "throughput.png": plot_throughput,
    "memory.png": plot_memory,
    "accuracy.png": plot_accuracy,
    "history.png": plot_history,
    "roofline.png": plot_roofline,
    "scaling.png": plot_scaling,
}
