"""The columns of a comparison that only some runs have a figure for: memory, accuracy, energy, money."""

from collections.abc import Callable

from bench.guard.stored.compare import Compared, Comparison, Joined
from bench.guard.stored.prices import cost_of, images_for_one
from bench.report.cells import CellSummary
from bench.report.text import mebibytes, percent, significant

Figure = Callable[[CellSummary, float | None], str]
"""The words of one cell's figure, at a price for an hour where there is one."""


def further_columns(comparison: Comparison) -> dict[str, list[str]]:
    """Header and words of every column that has a figure in some cell; a ratio stands behind both its figures."""
    one, other = comparison.reference, comparison.other
    target = next((joined.reference.target_accuracy for joined in comparison.joined), None)
    reach = f"s to {100 * target:g} %" if target else "s to target"
    figures: dict[str, tuple[Figure, Callable[[Joined], str]]] = {
        "host MiB": (lambda cell, _: mebibytes(cell.peak_host_memory_bytes), lambda j: _times(j.host_memory)),
        "device MiB": (lambda cell, _: mebibytes(cell.peak_device_memory_bytes), lambda j: _times(j.device_memory)),
        "test acc %": (_accuracy, lambda j: _points(j.accuracy_points)),
        reach: (_seconds, lambda j: _times(j.time_to_accuracy)),
        "images/J": (lambda cell, _: significant(cell.images_per_j), lambda j: _times(j.images_per_j)),
        "1,000s for 1": (_images_for_one, lambda j: _times(_price_ratio(j, one, other))),
        f"cost of {reach.removeprefix('s to ')}": (_cost, lambda j: _times(_cost_ratio(j, one, other))),
    }
    columns = {}
    for header, (of, ratio) in figures.items():
        words = [
            _with(arrow(of(joined.reference, one.price_per_h), of(joined.other, other.price_per_h)), ratio(joined))
            for joined in comparison.joined
        ]
        if any(words):
            columns[f"{header}\n{one.letter} → {other.letter}"] = words
    return columns


def _accuracy(cell: CellSummary, _: float | None) -> str:
    """Of how many seeds, where there are several."""
    if cell.learned_accuracy is None:
        return ""
    return percent(cell.learned_accuracy) + (f" n={cell.seeds}" if cell.seeds > 1 else "")


def _seconds(cell: CellSummary, _: float | None) -> str:
    """The median of those that reached it, and how many did where not all did."""
    some = f" {cell.reached}/{cell.evaluated}" if 0 < cell.reached < cell.evaluated else ""
    return significant(cell.time_to_accuracy_s) + some


def _images_for_one(cell: CellSummary, price_per_h: float | None) -> str:
    images = images_for_one(cell.throughput_images_per_s, price_per_h)
    return significant(images / 1000 if images else None)


def _cost(cell: CellSummary, price_per_h: float | None) -> str:
    return significant(cost_of(cell.time_to_accuracy_s, price_per_h))


def _price_ratio(joined: Joined, one: Compared, other: Compared) -> float | None:
    if not one.price_per_h or not other.price_per_h:
        return None
    return joined.throughput.value * one.price_per_h / other.price_per_h


def _cost_ratio(joined: Joined, one: Compared, other: Compared) -> float | None:
    if not one.price_per_h or not other.price_per_h or joined.time_to_accuracy is None:
        return None
    return joined.time_to_accuracy * other.price_per_h / one.price_per_h


def arrow(one: str, other: str) -> str:
    """From the one to the other; a figure that is not known is a dash, and none are nothing."""
    return f"{one or '–'} → {other or '–'}" if one or other else ""


def _with(words: str, ratio: str) -> str:
    return f"{words} ({ratio})" if ratio else words


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"×{significant(ratio)}"


def _points(points: float | None) -> str:
    return "" if points is None else f"{points:+.2f}"
