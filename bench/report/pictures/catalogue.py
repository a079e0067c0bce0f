"""The pictures of a run: each is drawn only if there is something to draw."""

import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.report.beside import Begin, Results
from bench.report.cells import CellSummary
from bench.report.gpu import ReadTelemetry
from bench.report.pictures.accuracy import plot_accuracy
from bench.report.pictures.by_batch import plot_memory, plot_throughput
from bench.report.pictures.canvas import SUFFIXES, Picture
from bench.report.pictures.engines import plot_engines
from bench.report.pictures.history import plot_history
from bench.report.pictures.power import plot_power
from bench.report.pictures.roofline import plot_roofline
from bench.report.pictures.scaling import plot_scaling
from bench.report.pictures.step_time import plot_step_time
from bench.report.pictures.time_to_accuracy import plot_time_to_accuracy
from bench.report.pictures.window_trace import plot_window_trace

Plot = Callable[[Path, Sequence[CellSummary]], Picture | None]
PLOTS: dict[str, Plot] = {
    "throughput": plot_throughput,
    "engines": plot_engines,
    "memory": plot_memory,
    "accuracy": plot_accuracy,
    "time_to_accuracy": plot_time_to_accuracy,
    "history": plot_history,
    "scaling": plot_scaling,
    "roofline": plot_roofline,
    "step_time": plot_step_time,
    "window_trace": plot_window_trace,
}
"""Of each its name, which is that of its files, and what draws it from cells alone: how fast at what cost, what was
learned, why so fast, and how far to trust it."""


@contextmanager
def drawing(
    folder: Path, cells: Sequence[CellSummary], telemetry: ReadTelemetry, begin: Begin[Picture | None]
) -> Iterator[Results[Picture]]:
    """Draw into `folder` what there is data for, whole or not at all; files of pictures without any are removed.

    Begun as `begin` does, ended by a call of what the block is given. A picture that cannot be drawn is told of on
    stderr and left out: the report's figures do not depend on it.
    """
    plots: dict[str, Plot] = PLOTS | {"power": partial(plot_power, telemetry=telemetry)}
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".drawing-", dir=folder) as scratch:
        tasks = [partial(_drawn, name, plot, Path(scratch), cells) for name, plot in plots.items()]
        with begin(tasks) as drawn:
            yield lambda: _put(dict(zip(plots, drawn(), strict=True)), folder)


def _put(found: Mapping[str, Picture | None], folder: Path) -> list[Picture]:
    """Put the files of all pictures where they belong; returns those that there are."""
    for name, drawn in found.items():
        for suffix in SUFFIXES:
            path = (folder / name).with_suffix(suffix)
            if drawn:
                drawn.stem.with_suffix(suffix).replace(path)
            else:
                path.unlink(missing_ok=True)
    return [replace(drawn, stem=folder / name) for name, drawn in found.items() if drawn]


def _drawn(name: str, plot: Plot, folder: Path, cells: Sequence[CellSummary]) -> Picture | None:
    try:
        return plot(folder / name, cells)
    except Exception:  # noqa: BLE001  # whatever it is, the page and the tables are still worth writing
        print(f"the picture {name} could not be drawn:", file=sys.stderr)
        traceback.print_exc()
        return None


def files_of(pictures: Sequence[Picture]) -> list[Path]:
    """Every file of some pictures."""
    return [picture.stem.with_suffix(suffix) for picture in pictures for suffix in SUFFIXES]
