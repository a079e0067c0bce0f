"""A comparison in words: the finding, and a table with a line for each cell."""

from collections.abc import Sequence

from bench.guard.stored.compare import PROCESSES, WITHIN, Comparison, Mean
from bench.guard.stored.comparison_columns import arrow, further_columns
from bench.report.cells import FEWEST_PROCESSES, CellSummary
from bench.report.further import Further, fitted
from bench.report.names import short_names
from bench.report.text import named, significant, with_interval

_MOST_LISTED = 20
_FIRST_TO_GO = ("host MiB", "device MiB", "test acc", "images/J", "s to", "interval", "cost", "1,000s")
"""Columns that a terminal too narrow for all of them does without; those that were asked for go last."""


def finding(comparison: Comparison) -> str:
    """How fast one is beside the reference, in one sentence."""
    one, other, mean = comparison.reference.letter, comparison.other.letter, comparison.mean
    if mean is None:
        return f"{other} and {one} have no cell in common that both measured as a speed"
    if mean.cells == 1:
        return f"{other} trains {with_interval(mean.value, mean.interval)} times as many images/s as {one}, in one cell"
    cells = f"{significant(mean.lowest)} to {significant(mean.highest)} in {mean.cells} cells"
    return f"{other} trains {with_interval(mean.value, mean.interval)} times as many images/s as {one}: {cells}"


def devices_told(comparison: Comparison) -> str:
    """What joined cells of other devices are, in a sentence; nothing where each is joined with itself."""
    if not comparison.across_devices:
        return ""
    own, others = (sorted({side.cell.device for side in sides}) for sides in zip(*comparison.pairs, strict=True))
    one, other = comparison.reference.letter, comparison.other.letter
    return (
        f"No cell is in both as it stands: they are joined by all settings but the device, which is "
        f"{' and '.join(own)} in {one}, {' and '.join(others)} in {other}."
    )


def comparison_table(comparison: Comparison) -> Further:
    """A line for each cell that both measured; columns that none has a figure for are left out."""
    one, other = comparison.reference.letter, comparison.other.letter
    names = names_in(comparison)
    headers, lines = ["cell", f"images/s\n{one} → {other}", f"{other} ÷ {one}\n(95 % interval)", "interval\nover"], []
    further = further_columns(comparison)
    for place, joined in enumerate(comparison.joined):
        ratio = joined.throughput
        name = names[joined.cell.cell_id] + " (functional, not scaling)" * joined.functional
        both = arrow(*(significant(cell.throughput_images_per_s) for cell in (joined.reference, joined.other)))
        words = [column[place] for column in further.values()]
        over = ratio.over.replace(", ", " (") + ")"
        lines.append([name, both, with_interval(ratio.value, ratio.interval), over, *words])
    mean = comparison.mean
    if mean and len(comparison.joined) > 1:
        lines.append(_mean_line(mean, "all", len(further)))
        lines += [_mean_line(known, "those with an interval", len(further)) for known in _known(comparison)]
    title = f"{other} beside {one}"
    return Further(title, [*headers, *further], lines, tuple(_told(comparison, names)))


def fitted_comparison(table: Further, width: int) -> Further:
    """The table without the columns that a terminal has no room for, which are named beneath it."""
    return fitted(table, width, _FIRST_TO_GO, "comparison.md")


def names_in(comparison: Comparison) -> dict[str, str]:
    """A short name for every cell of either run, by cell_id."""
    every = [one.cell for one in comparison.reference.cells] + [one.cell for one in comparison.only_other]
    names, _ = short_names(every) if every else ([], "")
    return {cell.cell_id: name for cell, name in zip(every, names, strict=True)}


def _known(comparison: Comparison) -> list[Mean]:
    return [mean] if (mean := comparison.mean_of_known) else []


def _mean_line(mean: Mean, which: str, further: int) -> list[str]:
    name = f"geometric mean of {which}: {mean.cells} cell{'s' * (mean.cells > 1)}"
    return [name, "", with_interval(mean.value, mean.interval), "these cells" if mean.interval else "", *[""] * further]


def _told(comparison: Comparison, names: dict[str, str]) -> list[str]:
    """What is to be known of the figures, and of the cells that have none."""
    one, other = comparison.reference.letter, comparison.other.letter
    overs = {joined.throughput.over.split(",")[0] for joined in comparison.joined}
    mean = comparison.mean
    told = [
        devices_told(comparison),
        f"Intervals over processes are Welch's, {FEWEST_PROCESSES} or more a side." * (PROCESSES in overs),
        f"{WITHIN}: how well these processes were measured; it says nothing about other processes." * (WITHIN in overs),
        (
            "The mean's interval holds the errors of these cells, taken as independent: it says nothing of other "
            "cells, nor of what moved all cells of one run alike."
        )
        * bool(mean and mean.cells > 1),
        "Functional: replicas share cores; not in the mean." * any(joined.functional for joined in comparison.joined),
        "The data sets differ: accuracies are not compared." * (not comparison.same_data),
        "1,000s for 1: thousands of images for one unit of the currency of --price."
        * any(run.price_per_h is not None for run in (comparison.reference, comparison.other)),
        _listed("Not measured in both", [_statuses(pair, (one, other), names) for pair in comparison.unmeasured]),
        _listed(f"Only in {one}", [names[cell.cell.cell_id] for cell in comparison.only_reference]),
        _listed(f"Only in {other}", [names[cell.cell.cell_id] for cell in comparison.only_other]),
    ]
    return [line for line in told if line]


def _statuses(pair: tuple[CellSummary, CellSummary], letters: tuple[str, str], names: dict[str, str]) -> str:
    words = [
        f"{letter} {cell.status if cell.status != 'ok' else 'without a throughput'}"
        for letter, cell in zip(letters, pair, strict=True)
        if cell.status != "ok" or not cell.throughput_images_per_s
    ]
    return f"{names[pair[0].cell.cell_id]} ({', '.join(words)})"


def _listed(what: str, names: Sequence[str]) -> str:
    return f"{what}: {named(names, _MOST_LISTED)}." if names else ""
