"""Which cell leads, and in which words: a report claims no winner that its trials do not show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.report.cells import CellSummary
from bench.report.text import percent
from bench.trial import Cell

FEWEST_SEEDS = 3
"""Fewer seeds say next to nothing about the spread between them."""


@dataclass(frozen=True)
class Fastest:
    """The fastest cell; whether that is known of this one run only, and how many others it is not told from.

    `unranked` are the cells that may be as fast, but have too few windows or trials for an interval.
    """

    cell: CellSummary
    one_run: bool
    rivals: int
    unranked: int

    @property
    def claim(self) -> str:
        """How far the finding goes."""
        return "fastest in this one run" if self.one_run else "fastest"

    @property
    def doubt(self) -> str:
        """The rivals as the end of a sentence; where it is of one run, intervals cannot tell who they are."""
        others = f", not told apart from {self.rivals} other{'s' * (self.rivals > 1)}"
        unranked = f"; {self.unranked} more, perhaps as fast, cannot be ranked"
        return others * bool(self.rivals and not self.one_run) + unranked * bool(self.unranked)


def fastest(cells: Sequence[CellSummary]) -> Fastest | None:
    """The fastest cell that ended ok; None if none can be ranked.

    A throughput without an interval is too rough to rank, and replicas on shared cores are no measure of speed.
    """
    timed = [
        (cell.throughput_images_per_s, cell.interval, cell)
        for cell in cells
        if cell.ok and cell.throughput_images_per_s and cell.interval and not cell.shares_cores
    ]
    if not timed:
        return None
    _, interval, best = max(timed, key=lambda one: one[0])
    rough = [
        cell.throughput_images_per_s or 0.0 for cell in cells if cell.ok and not cell.interval and not cell.shares_cores
    ]
    unranked = sum(images_per_s >= interval.low for images_per_s in rough)
    rivals = sum(other.high >= interval.low for _, other, cell in timed if cell is not best)
    # one process says nothing of the next, and what it hides may be more than what two cells differ by
    one_run = any(cell.interval_over.startswith("windows") for *_, cell in timed)
    return Fastest(best, one_run, rivals, unranked)


def accuracy_finding(cells: Sequence[CellSummary], names: Mapping[str, str]) -> str:
    """The most accurate of these cells where seeds show that some are less, else their range; `names` are by cell_id.

    Each cell has a test accuracy.
    """
    best, *others = sorted(cells, key=lambda cell: -(cell.test_accuracy or 0.0))
    rivals = sum(not _leads(best, other) for other in others)
    if rivals < len(others):
        doubt = f", not told apart from {rivals} other{'s' * (rivals > 1)}" if rivals else ""
        name, accuracy = names[best.cell.cell_id], percent(best.test_accuracy)
        return f"most accurate: {name}, {accuracy} % after {_epochs([best])}{doubt}"
    lowest = [best, *others][-1]
    ends = dict.fromkeys(percent(cell.test_accuracy) for cell in (lowest, best))
    return f"test accuracy {' to '.join(ends)} % after {_epochs(cells)}, {_seeds(cells)}{': no ranking' * bool(others)}"


def _leads(best: CellSummary, other: CellSummary) -> bool:
    """Whether both have 3 seeds or more and lie further apart than their two standard deviations together."""
    if min(best.seeds, other.seeds) < FEWEST_SEEDS:
        return False
    lead = (best.test_accuracy or 0.0) - (other.test_accuracy or 0.0)
    return lead > (best.test_accuracy_sd or 0.0) + (other.test_accuracy_sd or 0.0)


def beats(one: CellSummary, other: CellSummary) -> bool:
    """Whether a cell is both faster and more accurate than another, and told apart from it in both.

    Speeds are told apart where intervals between processes do not overlap, accuracies as `accuracy_finding` does it.
    """
    if not (_leads(one, other) and one.between_processes and other.between_processes):
        return False
    return bool(one.interval and other.interval and one.interval.low > other.interval.high)


def beaten(cells: Sequence[CellSummary]) -> set[Cell]:
    """Of cells with an accuracy those that another beats in both: the others are the Pareto front.

    Replicas on shared cores are no measure of speed, and neither beat nor are beaten.
    """
    judged = [cell for cell in cells if not cell.shares_cores]
    return {cell.cell for cell in judged if any(beats(other, cell) for other in judged)}


def _epochs(cells: Sequence[CellSummary]) -> str:
    counts = [cell.cell.epochs for cell in cells]
    return f"{_span(counts)} epoch{'s' * (max(counts) > 1)}"


def _seeds(cells: Sequence[CellSummary]) -> str:
    counts = [cell.seeds for cell in cells]
    words = "one seed" if max(counts) == 1 else f"{_span(counts)} seeds"
    return f"{words} each" if len(cells) > 1 else words


def _span(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"
