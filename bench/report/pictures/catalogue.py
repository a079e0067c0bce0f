"""The pictures of a run: each is drawn only if there is something to draw."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.report.cells import CellSummary
from bench.report.pictures.accuracy import plot_accuracy
from bench.report.pictures.by_batch import plot_memory, plot_throughput
from bench.report.pictures.canvas import SUFFIXES, Picture
from bench.report.pictures.curves import plot_history
from bench.report.pictures.roofline import plot_roofline
from bench.report.pictures.scaling import plot_scaling

PLOTS: dict[str, Callable[[Path, Sequence[CellSummary]], Picture | None]] = {
    "throughput": plot_throughput,
    "memory": plot_memory,
    "accuracy": plot_accuracy,
    "history": plot_history,
    "roofline": plot_roofline,
    "scaling": plot_scaling,
}
"""Of each its name, which is that of its files, and what draws it."""


def draw_all(folder: Path, cells: Sequence[CellSummary]) -> list[Picture]:
    """Draw into `folder` what there is data for, whole or not at all; files of pictures without any are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".drawing-", dir=folder) as scratch:
        found = {name: plot(Path(scratch) / name, cells) for name, plot in PLOTS.items()}
        for name, drawn in found.items():
            for suffix in SUFFIXES:
                path = (folder / name).with_suffix(suffix)
                if drawn:
                    drawn.stem.with_suffix(suffix).replace(path)
                else:
                    path.unlink(missing_ok=True)
    return [replace(drawn, stem=folder / name) for name, drawn in found.items() if drawn]


def files_of(pictures: Sequence[Picture]) -> list[Path]:
    """Every file of some pictures."""
    return [picture.stem.with_suffix(suffix) for picture in pictures for suffix in SUFFIXES]
