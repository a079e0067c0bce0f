"""A history in words: what it is of, each level shift as advice, and a line for each cell."""

from collections.abc import Sequence

from bench.guard.stored.judge import ACCURACY, MEMORY, THROUGHPUT
from bench.guard.stored.verdict_table import figure_words
from bench.measure.level_shifts import FALSE_ALARM, FEWEST
from bench.measure.statistics import Interval
from bench.report.further import Further
from bench.report.names import short_names
from bench.report.text import with_interval
from bench.several.history.machines import unit_of
from bench.several.history.past import PastRun
from bench.several.history.series import Series, Shift
from bench.several.history.timeline import History
from bench.trial import Cell

UNITS = {THROUGHPUT: "images/s", MEMORY: "peak memory, MiB", ACCURACY: "test accuracy, %"}
_CELLS = [
    *("cell", "runs", "images/s\nof the newest", "peak\nMiB", "test\nacc %"),
    *("level shifts\nof images/s", "of\nmemory", "of\naccuracy"),
]
_SHIFTS = ["cell", "figure", "from", "change (95 % interval)", "before → after", "between"]

_DRIFTING = " (its runs follow their neighbours: it may be a drift and no step)"


def heading(history: History) -> str:
    """Of how many runs on which machine over which time."""
    runs, last = history.runs, history.runs[-1]
    units = len({unit_of(run) for run in runs})
    which = f"exact unit {last.unit}" if last.unit else "its exact unit is not recorded"
    where = f"{units} machines that share a name" if units > 1 else f"{last.machine} (host {last.host}; {which})"
    return f"{_counted(len(runs), 'run')} on {where}, {_day(runs[0])} to {_day(last)}"


def reach(history: History) -> list[str]:
    """How far a history goes: what marks may be believed, and what was not looked at."""
    looked = sum(one.looked_at for one in history.series)
    several = len({unit_of(run) for run in history.runs}) > 1
    return [
        f"Level shifts are looked for in {_counted(looked, 'stretch', 'stretches')} of {FEWEST} runs or more between "
        f"breaks. Each shows one by chance at most {100 * FALSE_ALARM:g} times in 100 where runs do not depend on each "
        "other; their intervals are a little too narrow, for the place was searched for."
        if looked
        else f"Level shifts are looked for among {FEWEST} runs or more between breaks; there are not as many.",
        (
            "A level shift is advice and no verdict: the machine or its neighbours may have moved, not the code. "
            "bench ab compares both now, interleaved."
        ),
        "The runs are of several machines: a level shift may be the step from one to another." * several,
    ]


def finding(history: History) -> str:
    """Whether any level shifted, in one sentence."""
    shifted = [one for one in history.series if one.shifts]
    if not any(one.looked_at for one in history.series):
        return f"Too few runs to look for level shifts in {_counted(len(history.cells), 'cell')}"
    if not shifted:
        return f"No level shift is seen in {_counted(len(history.cells), 'cell')}"
    cells = len({one.cell.cell_id for one in shifted})
    shifts = sum(len(one.shifts) for one in shifted)
    return f"{_counted(shifts, 'level shift')} seen in {cells} of {_counted(len(history.cells), 'cell')}, to look at"


def advice(history: History) -> list[str]:
    """A sentence for each level shift, those of images/s first."""
    names = names_of(history.cells)
    return [
        f"{names[one.cell.cell_id]}, {one.figure.name}: level shift of about {change_words(one, shift.change)} "
        f"({_bounds(one, shift.interval)}) between {history.runs[shift.before].name} and "
        f"{history.runs[shift.after].name}; bench ab can tell{_DRIFTING * one.drifting}"
        for one, shift in _shifts(history)
    ]


def shifts_table(history: History) -> Further:
    """A line for each level shift."""
    names, runs = names_of(history.cells), history.runs
    lines = [
        [
            names[one.cell.cell_id],
            UNITS[one.figure],
            f"{runs[shift.after].began:%Y-%m-%d}",
            f"{change_words(one, shift.change)} ({_bounds(one, shift.interval)})",
            f"{figure_words(one.figure, shift.level_before)} → {figure_words(one.figure, shift.level_after)}",
            f"{runs[shift.before].name} and {runs[shift.after].name}",
        ]
        for one, shift in _shifts(history)
    ]
    return Further("Level shifts", _SHIFTS, lines, tuple(reach(history)))


def breaks_told(history: History) -> list[str]:
    """A sentence for each break."""
    return [
        f"{history.runs[one.run].name} ({_day(history.runs[one.run])}): {one.what} from here on"
        for one in history.breaks
    ]


def cells_table(history: History) -> Further:
    """A line for each cell: the figures of the newest run that measured it, and what shifted."""
    names = names_of(history.cells)
    by_cell = {(one.cell.cell_id, one.figure): one for one in history.series}
    lines = []
    for cell in history.cells:
        own = [by_cell.get((cell.cell_id, figure)) for figure in UNITS]
        runs = {seen.run for one in own if one for seen in one.seen}
        newest = [_at(one, max(runs, default=0)) for one in own]
        lines.append([names[cell.cell_id], str(len(runs)), *newest, *map(_all_changes, own)])
    return Further(heading(history), _CELLS, lines, ())


def _at(series: Series | None, run: int) -> str:
    """What the run at a place found, which may have measured one figure and not another."""
    found = [one for one in series.seen if one.run == run] if series else []
    if series is None or not found:
        return ""
    if series.figure is THROUGHPUT:
        return with_interval(found[0].value, found[0].interval)
    return figure_words(series.figure, found[0].value)


def names_of(cells: Sequence[Cell]) -> dict[str, str]:
    """A short name for each cell, by its id."""
    names, _ = short_names(cells) if cells else ([], "")
    return {cell.cell_id: name for cell, name in zip(cells, names, strict=True)}


def change_words(series: Series, change: float) -> str:
    """With its sign, in percent, of an accuracy in percentage points."""
    return f"{100 * change:+.2f} points" if series.figure is ACCURACY else f"{100 * change:+.1f} %"


def _bounds(series: Series, interval: Interval) -> str:
    places = 2 if series.figure is ACCURACY else 1
    return f"{100 * interval.low:+.{places}f} to {100 * interval.high:+.{places}f}"


def _all_changes(series: Series | None) -> str:
    return ", ".join(change_words(series, shift.change) for shift in series.shifts) if series else ""


def _shifts(history: History) -> list[tuple[Series, Shift]]:
    ordered = sorted(history.series, key=lambda one: list(UNITS).index(one.figure))
    return [(one, shift) for one in ordered for shift in one.shifts]


def _day(run: PastRun) -> str:
    return f"{run.began:%Y-%m-%d}"


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
