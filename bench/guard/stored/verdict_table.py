"""Verdicts in words: a line for each figure of each cell, and why there is none where there is none."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.guard.stored.judge import ACCURACY, MEMORY, Figure, Judged, Margins
from bench.guard.stored.rule import FEWEST_RUNS
from bench.guard.verdict import WORST_FIRST
from bench.measure.statistics import Interval
from bench.report.further import Further
from bench.report.names import short_names
from bench.report.text import mebibytes, named, percent, significant, spreadsheet

HEADERS = ["cell", "figure", "baseline\n(runs)", "this run", "change %\n(95 % interval)", "spread\n%", "verdict"]
COLUMNS = [
    *("run", "cell_id", "label", "figure", "verdict", "reason", "baseline_runs", "baseline", "this_run"),
    *("change", "change_low", "change_high", "spread_between_runs", "shows_from"),
]


def verdict_finding(name: str, judged: Sequence[Judged]) -> str:
    """How many verdicts of each kind, the worst first, and which cells regressed."""
    counts = Counter(one.verdict for one in judged)
    words = ", ".join(f"{counts[word]} {word}" for word in WORST_FIRST if counts[word]) or "nothing to judge"
    bad = [f"{one.cell.label} ({one.figure.name})" for one in judged if one.verdict in {"regressed", "invalid"}]
    return f"{name}: {words}" + (f". To look at: {named(bad)}" if bad else "")


def verdict_table(judged: Sequence[Judged], margins: Margins, told: Sequence[str] = ()) -> Further:
    """A line for each figure that was compared; beneath it the rule, and each reason with what it holds for."""
    names, shared = short_names([one.cell for one in judged]) if judged else ([], "")
    compared = [(name, one) for name, one in zip(names, judged, strict=True) if one.verdict != "not comparable"]
    lines = [_line(name, one) for name, one in compared]
    reasons: dict[str, list[str]] = {}
    for name, one in zip(names, judged, strict=True):
        if one.reason:
            reasons.setdefault(f"{one.verdict}: {one.reason}", []).append(f"{name} {one.figure.name}")
    rule = (
        f"regressed or improved: the whole interval beyond the margin of {100 * margins.throughput:g} % (memory "
        f"{100 * margins.memory:g} %, accuracy {100 * margins.accuracy:g} points), after Holm's correction over all "
        "lines; unchanged: proven within it (accuracy: not worse than it), at 95 %. spread: of the baseline, between "
        f"its runs; of these it takes {FEWEST_RUNS}, and the interval is that of one more run."
    )
    return Further(
        "Verdicts",
        HEADERS,
        lines,
        (
            f"All: {shared}." if shared else "",
            rule,
            *(f"{reason} ({named(cells)})" for reason, cells in reasons.items()),
            *told,
        ),
    )


def _line(name: str, one: Judged) -> list[str]:
    unit = {MEMORY: " (MiB)", ACCURACY: " (points)"}.get(one.figure, "")
    baseline = (
        f"{figure_words(one.figure, one.baseline)} (n={one.runs})" if one.baseline is not None else f"n={one.runs}"
    )
    spread = "" if one.spread is None else significant(100 * one.spread)
    return [
        name,
        f"{one.figure.name}{unit}",
        baseline,
        figure_words(one.figure, one.value),
        _change(one),
        spread,
        one.verdict,
    ]


def figure_words(figure: Figure, value: float | None) -> str:
    """A value of a figure in short: images/s, MiB, or percent; empty for None."""
    if figure is MEMORY:
        return mebibytes(value)
    return percent(value) if figure is ACCURACY else significant(value)


def _change(one: Judged) -> str:
    """With its sign, and bounds with theirs."""
    if one.change is None or one.interval is None:
        return ""
    interval = Interval(100 * one.interval.low, 100 * one.interval.high)
    places = 2 if one.figure is ACCURACY or interval.high - interval.low < 1 else 1
    return f"{100 * one.change:+.{places}f} ({interval.low:+.{places}f} to {interval.high:+.{places}f})"


def change_words(one: Judged) -> str:
    """By how much, with its bounds and unit; empty where nothing was compared."""
    change = _change(one)
    return f"{change} {'points' if one.figure is ACCURACY else '%'}" if change else ""


def write_verdict_csv(path: Path, name: str, judged: Sequence[Judged]) -> None:
    """One line for each verdict. Changes and spreads are shares; text is no spreadsheet's formula."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for one in judged:
            bounds = (one.interval.low, one.interval.high) if one.interval else (None, None)
            words = [name, one.cell.cell_id, one.cell.label, one.figure.name, one.verdict, one.reason]
            figures = [one.runs, one.baseline, one.value, one.change, *bounds, one.spread, one.shows]
            writer.writerow([*map(spreadsheet, words), *figures])
