"""Two runs joined by cell: how often one figure is the other's, with an interval where there is one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError
from bench.measure.ratios import geometric_mean, geometric_mean_interval, ratio_interval, ratio_of_samples
from bench.measure.statistics import Interval
from bench.report.cells import FEWEST_PROCESSES, CellSummary, summarise
from bench.report.gpu import telemetry_below
from bench.report.rows import rows_of
from bench.store.runs import StoredRun, read_run
from bench.trial import Cell

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PROCESSES, WITHIN = "processes", "within-process"
"""What an interval is over."""


@dataclass(frozen=True)
class Compared:
    """A run under its letter; A is the reference, whose target accuracy all are held to."""

    letter: str
    stored: StoredRun
    cells: tuple[CellSummary, ...]
    price_per_h: float | None = None

    @property
    def name(self) -> str:
        """Its folder's name."""
        return self.stored.folder.resolve().name


@dataclass(frozen=True)
class Ratio:
    """Other ÷ reference. `over` says what the interval is over, or why there is none."""

    value: float
    interval: Interval | None = None
    over: str = ""


@dataclass(frozen=True)
class Joined:
    """One cell that both runs measured; every ratio is other ÷ reference, None where one of them is not known."""

    reference: CellSummary
    other: CellSummary
    throughput: Ratio
    host_memory: float | None
    device_memory: float | None
    images_per_j: float | None
    accuracy_points: float | None
    time_to_accuracy: float | None

    @property
    def cell(self) -> Cell:
        """The settings that both share."""
        return self.reference.cell

    @property
    def functional(self) -> bool:
        """Whether replicas share cores in one of them: then its throughput is no measure of speed."""
        return self.reference.shares_cores or self.other.shares_cores


@dataclass(frozen=True)
class Mean:
    """The geometric mean of the throughput ratios of so many cells; no interval where one of them has none."""

    value: float
    interval: Interval | None
    cells: int
    lowest: float
    highest: float


@dataclass(frozen=True)
class Comparison:
    """A run beside the reference: what both measured, what both have but not both measured, what one has alone."""

    reference: Compared
    other: Compared
    joined: tuple[Joined, ...]
    unmeasured: tuple[tuple[CellSummary, CellSummary], ...]
    only_reference: tuple[CellSummary, ...]
    only_other: tuple[CellSummary, ...]
    same_data: bool
    across_devices: bool
    """Whether cells are joined by all settings but the device, as none of one run is in the other as it stands."""

    @property
    def pairs(self) -> list[tuple[CellSummary, CellSummary]]:
        """The cells that both have, measured or not."""
        return [*((one.reference, one.other) for one in self.joined), *self.unmeasured]

    @property
    def mean(self) -> Mean | None:
        """Over all joined cells but the functional ones, which are no measure of speed."""
        return _mean([one.throughput for one in self.joined if not one.functional])

    @property
    def mean_of_known(self) -> Mean | None:
        """Over those of them that have an interval; None where those are all, or none."""
        ratios = [one.throughput for one in self.joined if not one.functional]
        known = [ratio for ratio in ratios if ratio.interval]
        return _mean(known) if len(known) < len(ratios) else None


def read_compared(folders: Sequence[Path]) -> list[Compared]:
    """Read runs, the first of which is the reference. Raises UsageError for one that is none or stands there twice."""
    if len(folders) > len(LETTERS):
        raise UsageError(f"{len(folders)} runs: compare at most {len(LETTERS)} at once")
    where = [folder.resolve() for folder in folders]
    if twice := next((folder for place, folder in enumerate(where) if folder in where[:place]), None):
        raise UsageError(f"{twice}: the same run twice; name each once")
    return lettered([read_run(folder) for folder in folders])


def lettered(runs: Sequence[StoredRun]) -> list[Compared]:
    """The runs under their letters, all held to the target accuracy of the first."""
    target = runs[0].run.target_accuracy
    return [Compared(letter, stored, cells_of(stored, target)) for letter, stored in zip(LETTERS, runs, strict=False)]


def cells_of(stored: StoredRun, target_accuracy: float) -> tuple[CellSummary, ...]:
    """The summaries of a run's cells, held to a target accuracy."""
    run = stored.run.model_copy(update={"target_accuracy": target_accuracy})
    return tuple(summarise(rows_of(run, stored.records, telemetry_below(stored.folder))))


def compare(reference: Compared, other: Compared) -> Comparison:
    """Join two runs by cell, that is by all settings; where none is in both, by all but the device: a CPU and a GPU."""
    across_devices = _across_devices(reference, other)
    key = _but_device if across_devices else _whole
    others = {key(two.cell): two for two in other.cells}
    own = {key(one.cell) for one in reference.cells}
    pairs = [(one, others[key(one.cell)]) for one in reference.cells if key(one.cell) in others]
    same_data = reference.stored.run.data_sha256 == other.stored.run.data_sha256
    return Comparison(
        reference,
        other,
        joined=tuple(_joined(one, two, same_data=same_data) for one, two in pairs if measured(one) and measured(two)),
        unmeasured=tuple((one, two) for one, two in pairs if not (measured(one) and measured(two))),
        only_reference=tuple(one for one in reference.cells if key(one.cell) not in others),
        only_other=tuple(two for two in other.cells if key(two.cell) not in own),
        same_data=same_data,
        across_devices=across_devices and bool(pairs),
    )


def _whole(cell: Cell) -> str:
    return cell.cell_id


def _but_device(cell: Cell) -> str:
    return cell.model_dump_json(exclude={"device"})


def _across_devices(reference: Compared, other: Compared) -> bool:
    """Whether no cell is in both, and either run has each of its cells on one device only."""
    own, others = ({one.cell.cell_id for one in run.cells} for run in (reference, other))
    once = all(len({_but_device(one.cell) for one in run.cells}) == len(run.cells) for run in (reference, other))
    return once and not own & others


def measured(cell: CellSummary) -> bool:
    """Whether it has a throughput of trials that ended well."""
    return cell.ok and bool(cell.throughput_images_per_s)


def _joined(reference: CellSummary, other: CellSummary, *, same_data: bool) -> Joined:
    """What was learned, and how fast, is compared on the same data only."""
    points = _difference(other.learned_accuracy, reference.learned_accuracy)
    return Joined(
        reference,
        other,
        throughput=_throughput(reference, other),
        host_memory=_over(other.peak_host_memory_bytes, reference.peak_host_memory_bytes),
        device_memory=_over(other.peak_device_memory_bytes, reference.peak_device_memory_bytes),
        images_per_j=_over(other.images_per_j, reference.images_per_j),
        accuracy_points=100 * points if points is not None and same_data else None,
        time_to_accuracy=_over(other.time_to_accuracy_s, reference.time_to_accuracy_s) if same_data else None,
    )


def _over(other: float | None, reference: float | None) -> float | None:
    return other / reference if other and reference else None


def _difference(other: float | None, reference: float | None) -> float | None:
    return None if other is None or reference is None else other - reference


def _throughput(reference: CellSummary, other: CellSummary) -> Ratio:
    """Between processes where both sides have enough of them, else from what is known within one."""
    own, others = other.throughput_images_per_s, reference.throughput_images_per_s
    assert own, "it is measured"
    assert others, "it is measured"
    samples, counts = processes_of(other), processes_of(reference)
    ratio, told = own / others, f"n={len(counts)} and {len(samples)}"
    if min(len(samples), len(counts)) >= FEWEST_PROCESSES:
        found = ratio_of_samples(samples, counts)
        # longer processes weigh more in pooled figures: widened up to their ratio, as cells widen theirs
        return Ratio(ratio, Interval(min(found.low, ratio), max(found.high, ratio)), f"{PROCESSES}, {told}")
    if other.interval and reference.interval:
        return Ratio(ratio, ratio_interval(own, other.interval, others, reference.interval), f"{WITHIN}, {told}")
    return Ratio(ratio, None, f"none, {told}")


def processes_of(cell: CellSummary) -> list[float]:
    """The throughput of each process that counts."""
    return [row.throughput_images_per_s for row in cell.counted if row.throughput_images_per_s]


def _mean(ratios: Sequence[Ratio]) -> Mean | None:
    if not ratios:
        return None
    values, intervals = [ratio.value for ratio in ratios], [ratio.interval for ratio in ratios if ratio.interval]
    known = geometric_mean_interval(values, intervals) if len(intervals) == len(values) else None
    return Mean(geometric_mean(values), known, len(values), min(values), max(values))
