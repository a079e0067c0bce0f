"""Loss and accuracy epoch by epoch: curves, or dots where nobody trained for more than one epoch."""

import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report.cells import CellSummary
from bench.report.names import absent, leading, left_out, short_names
from bench.report.pictures.accuracy import accuracy_limits
from bench.report.pictures.canvas import EDGE, GREY, Picture, Style, legend_beside, picture, styles
from bench.report.text import percent
from bench.store.record import EpochRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_KINDS = ("training", "test")
_NAME_COLUMNS = 34
_HOW_TAKEN = "Training figures are means while the epoch ran, test figures are taken after it."


@dataclass(frozen=True)
class _Measure:
    """What is drawn of an epoch, of the training and of the test images."""

    label: str
    train: Callable[[EpochRecord], float | None]
    test: Callable[[EpochRecord], float | None]

    def values(self, epochs: Sequence[EpochRecord], of: Callable[[EpochRecord], float | None]) -> list[float]:
        """One value per epoch, NaN (a gap) where there is none."""
        found = [of(epoch) for epoch in epochs]
        return [math.nan if value is None else value for value in found]


_LOSS = _Measure("loss (cross-entropy)", lambda epoch: epoch.train_loss, lambda epoch: epoch.test_loss)
_ACCURACY = _Measure("accuracy (%)", lambda epoch: 100 * epoch.train_accuracy, lambda epoch: 100 * epoch.test_accuracy)


@dataclass(frozen=True)
class _Curve:
    """The epochs of every trial of one cell."""

    name: str
    style: Style
    trials: list[list[EpochRecord]]


def plot_history(stem: Path, every: Sequence[CellSummary]) -> Picture | None:
    """Draw loss and accuracy per epoch, training dashed and test solid; None if no epoch was finished.

    Cells with synthetic images are left out: there is nothing to learn in them.
    """
    trained = [cell for cell in every if cell.cell.input != "synthetic" and _trials(cell)]
    if not trained:
        return None
    drawn = leading(trained, lambda cell: max(trial[-1].test_accuracy for trial in _trials(cell)))
    names, shared = short_names([cell.cell for cell in drawn])
    marked = zip(names, styles(len(drawn)), drawn, strict=True)
    curves = [_Curve(name, style, _trials(cell)) for name, style, cell in marked]
    longest = max(len(trial) for curve in curves for trial in curve.trials)
    title = _title(curves)
    more = left_out(len(drawn), len(trained), f"the {len(drawn)} cells with the highest test accuracy")
    notes = [f"All cells: {shared}." if shared else "", _HOW_TAKEN, more, absent(every, trained, _why)]
    draw = _draw_curves if longest > 1 else _draw_dots
    draw(stem, title, notes, curves)
    return Picture.of(stem, title, notes)


def _trials(cell: CellSummary) -> list[list[EpochRecord]]:
    return [row.record.epochs for row in cell.counted if row.record.epochs]


def _why(cell: CellSummary) -> str:
    if not cell.ok:
        return cell.status
    return "nothing to learn" if cell.cell.input == "synthetic" else "no whole epoch"


def _title(curves: Sequence[_Curve]) -> str:
    """Where the trials ended: their range, for a single seed ranks no cell."""
    last = [trial[-1] for curve in curves for trial in curve.trials]
    epochs = dict.fromkeys(pick(epoch.epoch for epoch in last) for pick in (min, max))
    accuracies = dict.fromkeys(percent(pick(epoch.test_accuracy for epoch in last)) for pick in (min, max))
    title = f"Test accuracy {' to '.join(accuracies)} % after epoch {' to '.join(map(str, epochs))}"
    losses = [epoch.test_loss for epoch in last if epoch.test_loss is not None]
    ends = dict.fromkeys(f"{pick(losses):.3g}" for pick in (min, max)) if losses else {}
    return f"{title}; test loss {' to '.join(ends)}" if losses else title


def _draw_curves(stem: Path, title: str, notes: Sequence[str], curves: Sequence[_Curve]) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator  # noqa: PLC0415  # a second of import that only drawing needs

    names = [curve.name for curve in curves]
    with picture(stem, title, notes, 2, (11.6, 5.0), [*names, *_KINDS]) as (figure, axes):
        for axis, shown in zip(axes, (_LOSS, _ACCURACY), strict=True):
            for curve in curves:
                _draw_trials(axis, shown, curve)
            axis.set(xlabel="epoch", ylabel=shown.label)
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[0].set(yscale="log", ylabel=f"{_LOSS.label}, logarithmic")
        axes[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes[0].yaxis.set_major_formatter(lambda loss, _: f"{loss:g}")
        axes[0].yaxis.set_minor_formatter("")
        _limit_accuracy(axes[1].set_ylim, curves)
        legend_beside(figure, names, [curve.style for curve in curves], _kinds())


def _draw_trials(axis: "Axes", shown: _Measure, curve: _Curve) -> None:
    """Every trial of a cell, as one line with gaps: forty trials of forty cells are drawn in a second."""
    numbers = [number for trial in curve.trials for number in (*(epoch.epoch for epoch in trial), math.nan)]
    train, test = (
        [value for trial in curve.trials for value in (*shown.values(trial, of), math.nan)]
        for of in (shown.train, shown.test)
    )
    colour, marker = curve.style.colour, curve.style.marker
    axis.plot(numbers, train, "--", color=colour, linewidth=1.1)
    axis.plot(numbers, test, color=colour, linewidth=1.5, marker=marker, **EDGE)


def _draw_dots(stem: Path, title: str, notes: Sequence[str], curves: Sequence[_Curve]) -> None:
    """One line per cell: with a single epoch there is no curve, and points over one number would pile up."""
    names = [textwrap.fill(curve.name, _NAME_COLUMNS) for curve in curves]
    size = (11.0, max(3.2, 1.8 + 0.22 * len(curves) + 0.16 * sum(name.count("\n") + 1 for name in names)))
    with picture(stem, title, notes, 2, size, _KINDS) as (figure, axes):
        for axis, shown in zip(axes, (_LOSS, _ACCURACY), strict=True):
            for place, curve in enumerate(curves):
                _draw_pairs(axis, shown, [epoch for (epoch,) in curve.trials], place)
            axis.set(xlabel=f"{shown.label} of epoch 1", ylim=(len(curves) - 0.5, -0.5), yticks=range(len(curves)))
        axes[0].set_yticklabels(names)
        axes[1].set_yticklabels([])
        axes[0].set_xlim(left=0)
        _limit_accuracy(axes[1].set_xlim, curves)
        figure.legend(handles=_dots(), loc="outside right upper", frameon=False)


def _draw_pairs(axis: "Axes", shown: _Measure, epochs: Sequence[EpochRecord], place: int) -> None:
    """Open for training, filled for test, each pair joined so that the eye keeps to the line."""
    train, test = (shown.values(epochs, of) for of in (shown.train, shown.test))
    joined = [value for pair in zip(train, test, strict=True) for value in (*pair, math.nan)]
    axis.plot(joined, [place] * len(joined), color="0.75", linewidth=1.2, zorder=1)
    axis.plot(train, [place] * len(train), "o", markerfacecolor="white", **EDGE)
    axis.plot(test, [place] * len(test), "o", color=styles(1)[0].colour, **EDGE)


def _limit_accuracy(set_limits: Callable[[float, float], object], curves: Sequence[_Curve]) -> None:
    epochs = [epoch for curve in curves for trial in curve.trials for epoch in trial]
    values = _ACCURACY.values(epochs, _ACCURACY.train) + _ACCURACY.values(epochs, _ACCURACY.test)
    known = [value for value in values if not math.isnan(value)]
    if known:
        accuracy_limits(set_limits, known)


def _kinds() -> "list[Line2D]":
    """The legend of dashed and solid."""
    from matplotlib.lines import Line2D  # noqa: PLC0415  # a second of import that only drawing needs

    return [
        Line2D([], [], color=GREY, linestyle="--", label=_KINDS[0]),
        Line2D([], [], color=GREY, marker="o", label=_KINDS[1], **EDGE),
    ]


def _dots() -> "list[Line2D]":
    """The legend of open and filled."""
    from matplotlib.lines import Line2D  # noqa: PLC0415  # likewise

    filled = styles(1)[0].colour
    return [
        Line2D([], [], linestyle="", marker="o", markerfacecolor="white", label=_KINDS[0], **EDGE),
        Line2D([], [], linestyle="", marker="o", color=filled, label=_KINDS[1], **EDGE),
    ]
