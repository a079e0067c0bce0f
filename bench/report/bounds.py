"""What bounds each cell, in words: one for a line of the table, all of its costs for a table of their own."""

from collections.abc import Sequence

from bench.measure.diagnosis import COSTS, Diagnosis
from bench.measure.paired import Centre
from bench.report.cells import CellSummary
from bench.report.names import short_names

HEADERS = ["cell", "bound by", "rounds", *(f"{cost} %" for cost in COSTS)]


def bound_by(cell: CellSummary) -> str:
    """The bound and its share of the step with its interval, e.g. input 23 % (20–26); empty without a diagnosis."""
    if cell.diagnosis is None:
        return ""
    found = cell.diagnosis.shares[cell.diagnosis.bound_by]
    return f"{cell.diagnosis.bound_by} {100 * found.value:.0f} % ({_range(found, 0)})"


def bounds_lines(cells: Sequence[CellSummary]) -> list[list[str]]:
    """A line for each cell with a diagnosis: every cost in percent of the step, with its interval."""
    names, _ = short_names([cell.cell for cell in cells])
    found = [(name, cell.diagnosis) for name, cell in zip(names, cells, strict=True) if cell.diagnosis]
    return [[name, *cost_words(one)] for name, one in found]


def cost_words(diagnosis: Diagnosis) -> list[str]:
    """What bounds a cell, in how many rounds it was found, and every cost, in the order of `HEADERS` but the first."""
    costs = [_with_range(diagnosis.shares[cost]) for cost in COSTS]
    return [diagnosis.bound_by, str(diagnosis.rounds), *costs]


def _with_range(share: Centre) -> str:
    return f"{100 * share.value:.1f} ({_range(share, 1)})"


def _range(share: Centre, places: int) -> str:
    """Both bounds in percent; a sign would be lost beside a dash."""
    dash = "–" if share.low >= 0 else " to "
    return f"{100 * share.low:.{places}f}{dash}{100 * share.high:.{places}f}"
