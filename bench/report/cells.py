"""Several trials of one cell become one line of a table: pooled, never averaged rates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, median, stdev

from scipy.special import stdtrit  # scipy.stats would cost half a second of every start

from bench.measure.communication import Communication, communication_of
from bench.measure.diagnosis import Diagnosis, combined
from bench.measure.forecast import Range
from bench.measure.roofline import Place
from bench.measure.statistics import CONFIDENCE, Interval, throughput_images_per_s
from bench.report.rows import Row
from bench.report.timed import pooled, quantiles_s
from bench.trial import Cell, Status

SEVERITY: tuple[Status, ...] = (
    "ok",
    "skipped",
    "unsupported",
    "interrupted",
    "timeout",
    "oom",
    "nan",
    "invalid",
    "error",
)
"""From best to worst; the worst status of its trials is that of the cell."""
FEWEST_PROCESSES = 3
"""Fewer processes say next to nothing about the spread between them."""


@dataclass(frozen=True)
class CellSummary:
    """The figures of one cell over its trials; None where it was not measured.

    `counted` are the trials that the figures come from: those that ended ok, or, where none did, those that
    measured something before they failed. `interval` is within the process for one trial and between the
    processes for several, and `interval_over` says which. `test_accuracy_sd` is over `seeds` seeds, None for a
    single one. Of the GPUs: the highest memory, the median use and power, images per joule of all stretches together.
    `time_to_accuracy_s` is the median over the `reached` of `evaluated` trials that reached the target.
    `diagnosis` takes the median of each share over the counted trials, and an interval that holds all of theirs.
    """

    cell: Cell
    status: Status
    rows: tuple[Row, ...]
    counted: tuple[Row, ...]
    throughput_images_per_s: float | None
    interval: Interval | None
    interval_over: str
    step_s_p50: float | None
    step_s_p90: float | None
    first_step_s: float | None
    import_host_memory_bytes: int | None
    peak_host_memory_bytes: int | None
    peak_device_memory_bytes: int | None
    nvml_peak_memory_bytes: int | None
    utilisation: float | None
    power_w: float | None
    images_per_j: float | None
    test_accuracy: float | None
    test_accuracy_sd: float | None
    test_loss: float | None
    seeds: int
    target_accuracy: float | None
    time_to_accuracy_s: float | None
    reached: int
    evaluated: int
    diagnosis: Diagnosis | None

    @property
    def ok(self) -> bool:
        """Whether at least one trial ended well, so that the figures may be drawn and compared."""
        return any(row.record.status == "ok" for row in self.counted)

    @property
    def learned_accuracy(self) -> float | None:
        """The test accuracy where it may be compared: of a trial that ended ok and had something to learn."""
        return self.test_accuracy if self.ok and self.cell.input != "synthetic" else None

    @property
    def place(self) -> Place:
        """MFU and place under the roofs of the pooled throughput; the trials of a cell do the same work."""
        return self.counted[0].work.place(self.throughput_images_per_s) if self.counted else Place()

    @property
    def communication(self) -> Communication | None:
        """What all-reduces took over the windows of all counted trials; None where they were not measured."""
        parameters = [row.record.effective.parameters for row in self.counted if row.record.effective]
        windows = [window for row in self.counted for window in row.record.collectives or []]
        if not parameters:
            return None
        return communication_of(windows, parameters[0], self.cell.replicas, pulled=self.cell.pulls_messages)

    @property
    def computing(self) -> Range | None:
        """Seconds of a step of all replicas at once, none of which waits for another; the fastest and slowest window.

        Over the windows of all counted trials; None where that was not measured.
        """
        windows = [window for row in self.counted for window in row.record.computing or []]
        if not windows:
            return None
        step_s = [window.window_s / window.steps for window in windows]
        mean = sum(window.window_s for window in windows) / sum(window.steps for window in windows)
        return Range(mean, min(step_s), max(step_s))

    @property
    def between_processes(self) -> bool:
        """Whether the interval is between processes, so that it says something of a rerun."""
        return self.interval is not None and self.interval_over.startswith("processes")

    @cached_property
    def shares_cores(self) -> bool:
        """Whether its replicas compute on the same CPU cores: then it is no measure of speed."""
        return any(row.shares_cores for row in self.counted or self.rows)

    @property
    def stopped_by(self) -> str:
        """Why measuring ended, each reason once."""
        return "/".join(dict.fromkeys(row.record.stopped_by for row in self.rows if row.record.stopped_by))


def summarise(rows: Sequence[Row]) -> list[CellSummary]:
    """One summary for each cell, ordered by its settings: trials run in a shuffled order that says nothing."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.record.trial.cell.cell_id, []).append(row)
    return sorted((_summary(group) for group in groups.values()), key=lambda summary: _rank(summary.cell))


def _rank(cell: Cell) -> list[tuple[bool, float, bool, str]]:
    """Numbers by size, words by alphabet with the default first; the batch last, so that it counts up."""
    settings = cell.model_dump()
    settings["global_batch"] = settings.pop("global_batch")
    return [
        (
            isinstance(value, str),
            float(value) if isinstance(value, int | float) else 0.0,
            value != Cell.model_fields[name].default,
            str(value),
        )
        for name, value in settings.items()
    ]


def _summary(rows: list[Row]) -> CellSummary:
    cell = rows[0].record.trial.cell
    counted = [row for row in rows if row.record.status == "ok"]
    counted = counted or [row for row in rows if row.record.status != "invalid"]
    windows = pooled([row.steady for row in counted])
    throughput = throughput_images_per_s(windows.steps, windows.window_s, cell.global_batch)
    p50, p90, _ = quantiles_s(windows)
    first_steps = [row.record.first_step_s for row in counted if row.record.first_step_s is not None]
    accuracies = accuracies_by_seed(counted)
    losses = _by_seed([(row.record.trial.seed, row.test_loss) for row in counted])
    evaluated = [row for row in counted if row.target_accuracy is not None]
    reached = [row.time_to_accuracy_s for row in evaluated if row.time_to_accuracy_s is not None]
    interval, over = _interval(counted, throughput, cell.global_batch)
    return CellSummary(
        cell=cell,
        status=max((row.record.status for row in rows), key=SEVERITY.index),
        rows=tuple(rows),
        counted=tuple(counted),
        throughput_images_per_s=throughput,
        interval=interval,
        interval_over=over,
        step_s_p50=p50,
        step_s_p90=p90,
        first_step_s=median(first_steps) if first_steps else None,
        import_host_memory_bytes=_highest([row.record.import_host_memory_bytes for row in counted]),
        peak_host_memory_bytes=_highest([row.record.peak_host_memory_bytes for row in counted]),
        peak_device_memory_bytes=_highest([row.record.peak_device_memory_bytes for row in counted]),
        nvml_peak_memory_bytes=_highest([row.gpu.nvml_peak_memory_bytes for row in counted]),
        utilisation=_median([row.gpu.utilisation_mean for row in counted]),
        power_w=_median([row.gpu.power_w for row in counted]),
        images_per_j=_images_per_j(counted),
        test_accuracy=fmean(accuracies) if accuracies else None,
        test_accuracy_sd=stdev(accuracies) if len(accuracies) > 1 else None,
        test_loss=fmean(losses) if losses else None,
        seeds=len(accuracies),
        target_accuracy=evaluated[0].target_accuracy if evaluated else None,
        time_to_accuracy_s=median(reached) if reached else None,
        reached=len(reached),
        evaluated=len(evaluated),
        diagnosis=combined([row.diagnosis for row in counted if row.diagnosis]),
    )


def _highest(sizes: list[int | None]) -> int | None:
    return max((size for size in sizes if size is not None), default=None)


def _median(figures: list[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return median(known) if known else None


def _images_per_j(rows: list[Row]) -> float | None:
    """All images of the stretches whose energy is known ÷ all their energy, never a mean of rates."""
    known = [(row.gpu.images_per_j, row.gpu.energy_j) for row in rows]
    pairs = [(images_per_j * energy_j, energy_j) for images_per_j, energy_j in known if images_per_j and energy_j]
    images, joules = (math.fsum(column) for column in zip(*pairs, strict=True)) if pairs else (0.0, 0.0)
    return images / joules if joules else None


def accuracies_by_seed(rows: Sequence[Row]) -> list[float]:
    """The mean test accuracy of each seed that has one."""
    return _by_seed([(row.record.trial.seed, row.test_accuracy) for row in rows])


def _by_seed(figures: list[tuple[int, float | None]]) -> list[float]:
    """The mean of each seed: repeats of a seed train the same model and are no further sample of accuracy."""
    seeds: dict[int, list[float]] = {}
    for seed, figure in figures:
        if figure is not None:
            seeds.setdefault(seed, []).append(figure)
    return [fmean(values) for values in seeds.values()]


def _interval(rows: list[Row], throughput: float | None, global_batch: int) -> tuple[Interval | None, str]:
    """Within the process for one trial, between the processes for three or more, else None; and which it is."""
    measured = [row for row in rows if len(row.steady)]
    count = len(measured)
    if throughput is None or not measured:
        return None, ""
    if count == 1:
        return measured[0].interval, "windows" if measured[0].interval else "none, n=1"
    image_s = [_image_s(row, global_batch) for row in measured]
    between = _between_processes(image_s, throughput) if count >= FEWEST_PROCESSES else None
    return between, f"processes, n={count}" if between else f"none, n={count}"


def _image_s(row: Row, global_batch: int) -> float:
    """Seconds per image over the steady windows of one process."""
    return float(row.steady.window_s.sum() / (row.steady.steps.sum() * global_batch))


def _between_processes(image_s: list[float], throughput: float) -> Interval | None:
    """A t-interval on the mean seconds per image, turned into images/s; None if zero speed is inside it.

    Processes that ran for longer weigh more in the pooled `throughput`, so it may lie outside; the interval is
    then widened up to it, which can only raise its coverage.
    """
    count = len(image_s)
    centre = fmean(image_s)
    reach = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * stdev(image_s) / math.sqrt(count)
    if reach >= centre:
        return None
    return Interval(min(1 / (centre + reach), throughput), max(1 / (centre - reach), throughput))
