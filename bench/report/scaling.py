"""What more replicas gained over one: strong and weak scaling, always against the like-for-like single replica."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.measure.cpus import cpus_in
from bench.measure.ratios import ratio_interval
from bench.measure.statistics import Interval
from bench.report.cells import CellSummary
from bench.report.names import short_names
from bench.report.text import significant, with_interval
from bench.trial import Cell

Kind = Literal["strong", "weak"]
KINDS: tuple[Kind, ...] = ("strong", "weak")
HEADERS = [
    "cell",
    "scaling",
    "replicas",
    "against",
    "speed-up\n(95 % interval)",
    "efficiency %\n(95 % interval)",
    "over",
]
_INSTEAD = ("default", "one_device")
"""Whose one replica stands in for a strategy that has no row of one replica."""


@dataclass(frozen=True)
class Scaled:
    """A cell of several replicas beside one replica of the same settings.

    Strong: both have the same global batch, and the work of a step is shared out. Weak: each replica has the batch
    that the one has alone, and the work grows; where replicas do not wait for each other there is nothing else.
    `speed_up` is the ratio of their throughputs, which for both would ideally be the number of replicas; its interval
    is None where either throughput has none.
    """

    kind: Kind
    cell: CellSummary
    baseline: CellSummary
    speed_up: float
    interval: Interval | None

    @property
    def replicas(self) -> int:
        """How many replicas there are, and so the ideal speed-up."""
        return self.cell.cell.replicas

    @property
    def efficiency(self) -> float:
        """The share of the ideal speed-up."""
        return self.speed_up / self.replicas

    @property
    def efficiency_interval(self) -> Interval | None:
        """Its bounds."""
        return self.interval and Interval(self.interval.low / self.replicas, self.interval.high / self.replicas)

    @property
    def over(self) -> str:
        """What the interval is over; two kinds where the two throughputs are known in different ways."""
        return "/".join(dict.fromkeys([self.cell.interval_over, self.baseline.interval_over]))


def scaling_of(cells: Sequence[CellSummary]) -> list[Scaled]:
    """Every cell of several replicas for which there is one replica to compare with; strong ones first."""
    return [scaled for kind in KINDS for cell in cells if (scaled := _scaled(kind, cell, cells)) is not None]


def alone(cells: Sequence[CellSummary]) -> list[CellSummary]:
    """Measured cells of several replicas that have nothing to be compared with."""
    compared = {scaled.cell.cell.cell_id for scaled in scaling_of(cells)}
    return [cell for cell in cells if _timed(cell) and cell.cell.replicas > 1 and cell.cell.cell_id not in compared]


def family_of(cell: Cell) -> Cell:
    """What must be the same on both sides: all but how many replicas there are, and how they are put together."""
    plain = Cell()
    freed = ("strategy", "replicas", "workers", "servers", "all_reduce", "global_batch")
    return cell.model_copy(update={name: getattr(plain, name) for name in freed})


def cores_of(cell: CellSummary) -> int | None:
    """How many CPUs a worker of it had; None for a GPU's, or where that is not known."""
    places = [row.record.effective.cpus for row in cell.counted if row.record.effective]
    if cell.cell.kind == "gpu" or not places or not places[0]:
        return None
    return len(cpus_in(places[0][0].rpartition(" ")[2]))


def baseline_of(cell: CellSummary, global_batch: int, cells: Sequence[CellSummary]) -> CellSummary | None:
    """One replica of the same settings at a batch, with as many CPUs as one worker of `cell`; None if none ran.

    Of the same strategy where there is one, since a strategy costs something on one replica too.
    """
    wanted = [cell.cell.strategy, *_INSTEAD]
    same = [
        one
        for one in cells
        if _timed(one)
        and (one.cell.replicas, one.cell.global_batch) == (1, global_batch)
        and one.cell.strategy in wanted
        and family_of(one.cell) == family_of(cell.cell)
        # a baseline with more cores than a worker would make scaling look worse than it is
        and len({cores_of(one), cores_of(cell), None}) <= 2
    ]
    servers = cell.cell.servers
    return min(same, key=lambda one: (wanted.index(one.cell.strategy), one.cell.servers != servers), default=None)


def _timed(cell: CellSummary) -> bool:
    return cell.ok and bool(cell.throughput_images_per_s)


def _scaled(kind: Kind, cell: CellSummary, cells: Sequence[CellSummary]) -> Scaled | None:
    if cell.cell.replicas == 1 or not _timed(cell) or (kind == "strong" and cell.cell.asynchronous):
        return None
    batch = cell.cell.global_batch if kind == "strong" else cell.cell.per_replica_batch
    baseline = baseline_of(cell, batch, cells)
    if baseline is None:
        return None
    one, other = cell.throughput_images_per_s, baseline.throughput_images_per_s
    assert one, "it is timed"
    assert other, "it is timed"
    both = cell.interval and baseline.interval and ratio_interval(one, cell.interval, other, baseline.interval)
    return Scaled(kind, cell, baseline, one / other, both)


def scaling_lines(cells: Sequence[CellSummary]) -> list[list[str]]:
    """A line of words for each comparison, in the order of `HEADERS`."""
    names, _ = short_names([cell.cell for cell in cells])
    named = {cell.cell.cell_id: name for cell, name in zip(cells, names, strict=True)}
    return [
        [
            named[scaled.cell.cell.cell_id] + " (functional, not scaling)" * scaled.cell.shares_cores,
            scaled.kind,
            str(scaled.replicas),
            named[scaled.baseline.cell.cell_id],
            with_interval(scaled.speed_up, scaled.interval),
            _percent(scaled),
            scaled.over,
        ]
        for scaled in scaling_of(cells)
    ]


def scaling_remark(cells: Sequence[CellSummary]) -> str:
    """Which cells have no one-replica row to stand beside, and what would give them one; empty if all have."""
    names, _ = short_names([cell.cell for cell in cells])
    lone = {cell.cell.cell_id for cell in alone(cells)}
    missing = [name for cell, name in zip(cells, names, strict=True) if cell.cell.cell_id in lone]
    if not missing:
        return ""
    return (
        f"Without one replica to compare with: {', '.join(missing)}. It takes a row of 1 replica with the same "
        "settings, as many CPUs (cpu_threads) and the same global batch (strong) or batch per replica (weak)."
    )


def _percent(scaled: Scaled) -> str:
    interval = scaled.efficiency_interval
    hundredfold = interval and Interval(100 * interval.low, 100 * interval.high)
    return with_interval(100 * scaled.efficiency, hundredfold) if interval else significant(100 * scaled.efficiency)
