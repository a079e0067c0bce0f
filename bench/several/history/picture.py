"""A figure of every cell against the time of its runs, with levels, level shifts, breaks and what changed on top."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from bench.guard.stored.judge import ACCURACY, MEMORY, Figure
from bench.measure.statistics import Interval
from bench.report.names import leading
from bench.report.pictures.canvas import GREY, Picture, Style, marks_with_bars, picture, styles
from bench.report.text import shorten
from bench.several.history.series import Seen, Series, Shift
from bench.several.history.timeline import History
from bench.several.history.told import UNITS, change_words, names_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_PANELS = 12
_MOST_LABELS = 10
"""Changes of commit or TensorFlow that are named on a panel; more would lie over each other."""
_LONGEST_NAME = 70
_MARK_SIZE = 4.0
"""Smaller than elsewhere: a history may have hundreds."""
_SHIFT, _BREAK = "#b3261e", "0.7"


def plot_figure(stem: Path, history: History, figure: Figure) -> Picture | None:
    """Draw a panel for each cell; None if no run has the figure. Of too many, those that shifted most are kept."""
    every = [one for one in history.series if one.figure is figure]
    if not every:
        return None
    kept = leading(every, lambda one: max((abs(shift.change) for shift in one.shifts), default=0.0), _MOST_PANELS)
    names = names_of(history.cells)
    title, notes = _title(every, figure), _notes(history, every, kept)
    columns = 1 if len(kept) <= 4 else 2
    rows = -(-len(kept) // columns)
    size = (11.0 if columns == 1 else 14.0, 1.8 + 1.9 * rows)
    with picture(stem, title, notes, len(kept), size, rows=rows) as (_, axes):
        for place, (axis, one) in enumerate(zip(axes, kept, strict=True)):
            _draw(axis, history, one)
            axis.set_title(shorten(names[one.cell.cell_id], _LONGEST_NAME), loc="left", fontsize="medium")
            if place < columns:
                _name_changes(axis, history)
            if place < len(kept) - columns:
                axis.set_xticklabels([])
    return Picture.of(stem, title, notes)


def _title(every: Sequence[Series], figure: Figure) -> str:
    shifted = [one for one in every if one.shifts]
    of = f"{len(every)} cell{'s' * (len(every) > 1)}"
    if not any(one.looked_at for one in every):
        return f"{UNITS[figure]} over time: too few runs to look for level shifts in {of}"
    if not shifted:
        return f"{UNITS[figure]} over time: no level shift seen in {of}"
    sizes = sorted((shift.change for one in shifted for shift in one.shifts), key=abs)
    most = change_words(shifted[0], sizes[-1])
    return f"{UNITS[figure]} over time: level shifts of up to {most} in {len(shifted)} of {of}"


def _notes(history: History, every: Sequence[Series], kept: Sequence[Series]) -> list[str]:
    return [
        "On top: TensorFlow and git commit where they changed, as far as there is room.",
        "Bars: 95 % intervals of the runs." * any(seen.interval for one in kept for seen in one.seen),
        "Red, dashed: a level shift, as advice; red lines: the levels." * any(one.shifts for one in kept),
        "Grey: breaks, where the data set or the benchmark's code became another; each stretch is looked at by itself."
        * bool(history.breaks),
        f"Drawn are the {len(kept)} of {len(every)} cells whose levels shifted most; history.csv has all."
        * (len(kept) < len(every)),
    ]


def _draw(axis: "Axes", history: History, series: Series) -> None:
    times = _times(history)
    (style,) = styles(1)
    for start, end in pairwise(history.bounds):
        _draw_stretch(axis, style, times, [one for one in series.seen if start <= one.run < end], series.figure)
    for one in history.breaks:
        axis.axvline(_between(times, one.run - 1, one.run), color=_BREAK, linewidth=2.5)
    for start, end, level in series.levels:
        axis.plot([times[start], times[end]], [_shown(series.figure, level)] * 2, color=_SHIFT, linewidth=1.6)
    for shift in series.shifts:
        _draw_shift(axis, times, series, shift)
    _dress(axis, times)


def _draw_stretch(axis: "Axes", style: Style, times: Sequence[float], seen: Sequence[Seen], figure: Figure) -> None:
    values = [_shown(figure, one.value) for one in seen]
    # only images/s have intervals, and are shown as they are
    bounds = [one.interval or Interval(value, value) for one, value in zip(seen, values, strict=True)]
    marks_with_bars(axis, style, [times[one.run] for one in seen], values, bounds, size=_MARK_SIZE)


def _draw_shift(axis: "Axes", times: Sequence[float], series: Series, shift: Shift) -> None:
    at = _between(times, shift.before, shift.after)
    axis.axvline(at, color=_SHIFT, linestyle="--", linewidth=1.3)
    axis.annotate(
        change_words(series, shift.change),
        (at, 1),
        xycoords=axis.get_xaxis_transform(),
        xytext=(4, -3),
        textcoords="offset points",
        va="top",
        color=_SHIFT,
        size="small",
    )


def _name_changes(axis: "Axes", history: History) -> None:
    """On top, commit and TensorFlow of the first run and where they changed, as many as there is room for."""
    words, before = dict[int, list[str]](), None
    for place, run in enumerate(history.runs):
        told = [f"TF {run.tensorflow}"] * (before is None or run.tensorflow != before.tensorflow)
        told += [run.commit[:7]] * (before is None or run.commit != before.commit)
        if told:
            words[place] = told
        before = run
    times = _times(history)
    kept = _apart(sorted(words, key=lambda place: not words[place][0].startswith("TF ")), times)
    top = axis.secondary_xaxis("top")
    labels = ["\n".join(words[place]) for place in kept]
    top.set_xticks([times[place] for place in kept], labels, size="x-small", color=GREY)


def _apart(places: Sequence[int], times: Sequence[float]) -> list[int]:
    """The places that lie far enough from every one before them in the list to be named too."""
    least, kept = (times[-1] - times[0]) / _MOST_LABELS, list[int]()
    for place in places:
        if all(abs(times[place] - times[other]) >= least for other in kept):
            kept.append(place)
    return kept


def _dress(axis: "Axes", times: Sequence[float]) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415  # only drawing needs it

    room = 0.02 * (times[-1] - times[0]) or 0.5
    axis.set_xlim(times[0] - room, times[-1] + room)
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]  # matplotlib has no type for it
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]  # likewise


def _times(history: History) -> list[float]:
    """Days, as matplotlib counts them."""
    from matplotlib.dates import date2num  # noqa: PLC0415  # likewise

    return [float(date2num(run.began)) for run in history.runs]  # type: ignore[no-untyped-call]  # likewise


def _between(times: Sequence[float], one: int, other: int) -> float:
    return (times[one] + times[other]) / 2


def _shown(figure: Figure, value: float) -> float:
    """In the unit of the axis."""
    if figure is MEMORY:
        return value / 2**20
    return 100 * value if figure is ACCURACY else value
