"""How many times as fast each engine is as `fit` at the same other settings; as the first where there is no `fit`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from bench.measure.ratios import ratio_interval
from bench.measure.statistics import Interval
from bench.report.cells import CellSummary
from bench.trial import Cell
from mnist_cnn.settings import Engine

ENGINES: tuple[Engine, ...] = get_args(Engine)
"""The first that was measured is what the others are compared with."""


@dataclass(frozen=True)
class EngineRatio:
    """A cell beside another that differs in its engine only; the interval is None where either throughput has none."""

    cell: CellSummary
    baseline: CellSummary
    value: float
    interval: Interval | None

    @property
    def others(self) -> Cell:
        """The settings that both have, with the default engine."""
        return without_engine(self.cell.cell)

    @property
    def pair(self) -> str:
        """Which engines, as a quotient."""
        return f"{self.cell.cell.engine} ÷ {self.baseline.cell.engine}"

    @property
    def between_processes(self) -> bool:
        """Whether the interval says anything of a rerun."""
        return self.cell.between_processes and self.baseline.between_processes

    @property
    def other_kernels(self) -> bool:
        """Whether one engine ran oneDNN's kernels and the other did not, so that the ratio is that of both together."""
        one, other = (
            {row.record.effective.onednn for row in cell.counted if row.record.effective}
            for cell in (self.cell, self.baseline)
        )
        return one.isdisjoint(other) and bool(one and other)


def without_engine(cell: Cell) -> Cell:
    """The cell with the default engine: what is the same here differs in its engine only."""
    return cell.model_copy(update={"engine": Cell().engine})


def engines_of(cells: Sequence[CellSummary]) -> list[EngineRatio]:
    """Each measured cell beside the one of the first engine; replicas on shared cores are no measure of speed."""
    groups: dict[Cell, list[CellSummary]] = {}
    for cell in cells:
        if cell.ok and cell.throughput_images_per_s and not cell.shares_cores:
            groups.setdefault(without_engine(cell.cell), []).append(cell)
    ordered = [sorted(group, key=lambda cell: ENGINES.index(cell.cell.engine)) for group in groups.values()]
    return [_ratio(cell, baseline) for baseline, *others in ordered for cell in others]


def _ratio(cell: CellSummary, baseline: CellSummary) -> EngineRatio:
    one, other = cell.throughput_images_per_s, baseline.throughput_images_per_s
    assert one, "it is timed"
    assert other, "it is timed"
    both = cell.interval and baseline.interval and ratio_interval(one, cell.interval, other, baseline.interval)
    return EngineRatio(cell, baseline, one / other, both)
