"""How every picture looks: size, colours, title, footnote, legend. Draws on its own canvas, never on a screen."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.measure.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_MARKERS = "os^DvPX"
"""Seven markers against ten colours: seventy series before a pair repeats, and shapes for who sees no colours."""
_DPI = 120
SUFFIXES = (".png", ".svg")
LEGEND_COLUMNS = 40
_TITLE_LETTER_INCHES, _NOTE_LETTER_INCHES = 0.112, 0.073
"""The mean width of a letter, a little generously: lines are broken by it before anything is drawn."""
GREY = "0.35"
EDGE: dict[str, Any] = {"markersize": 7, "markeredgecolor": "0.2", "markeredgewidth": 0.6}
"""Every marker has a dark edge: some colours are too light for a white ground."""


@dataclass(frozen=True)
class Picture:
    """One that was drawn: its files but for their suffix, its finding, and what is to be known to read it."""

    stem: Path
    title: str
    note: str

    @classmethod
    def of(cls, stem: Path, title: str, notes: Sequence[str]) -> "Picture":
        """One with the title and the notes that were given to `picture`."""
        return cls(stem, title, " ".join(filter(None, notes)))


@dataclass(frozen=True)
class Style:
    """The colour and marker of one series."""

    colour: tuple[float, float, float]
    marker: str


def import_libraries() -> None:
    """Import what drawing takes, so that processes forked from here on have it, and share its memory.

    Each picture tells what could not be imported.
    """
    with suppress(Exception):
        import seaborn  # noqa: F401, PLC0415  # a second of import that only drawing needs


def styles(count: int) -> list[Style]:
    """Distinct colour-blind safe styles, one for each series."""
    import seaborn as sns  # noqa: PLC0415  # likewise

    colours = sns.color_palette("colorblind")
    return [Style(*pair) for pair in islice(zip(cycle(colours), cycle(_MARKERS), strict=False), count)]


@contextmanager
def picture(
    stem: Path,
    title: str,
    notes: Sequence[str],
    panels: int,
    size: tuple[float, float],
    legend: Sequence[str] = (),
    *,
    rows: int = 1,
) -> Iterator["tuple[Figure, list[Axes]]"]:
    """A figure with axes side by side in so many rows, saved as PNG and SVG at the end, `stem` with the suffix of each.

    `size` is the width and height in inches without the legend, which is added to the right of it and may
    make the figure higher. The notes that are not empty stand beneath as one paragraph.
    """
    import seaborn as sns  # noqa: PLC0415  # likewise
    from matplotlib import rc_context  # noqa: PLC0415  # likewise
    from matplotlib.figure import Figure  # noqa: PLC0415  # likewise

    beside, high = _legend_inches(legend)
    with sns.plotting_context("notebook", font_scale=0.9), sns.axes_style("whitegrid"):
        figure = Figure(figsize=(size[0] + beside, max(size[1], high)), dpi=_DPI, layout="constrained")
        lines = textwrap.fill(title, int(size[0] / _TITLE_LETTER_INCHES))
        figure.suptitle(lines, x=0.01, ha="left", weight="bold", size="large")
        if any(notes):
            note = textwrap.fill(" ".join(filter(None, notes)), int((size[0] + beside) / _NOTE_LETTER_INCHES))
            figure.supxlabel(note, x=0.01, ha="left", size="small", color=GREY)
        axes = figure.subplots(rows, -(-panels // rows), squeeze=False)
        for spare in axes.flat[panels:]:
            spare.remove()
        yield figure, list(axes.flat[:panels])
        settle(figure)
        with rc_context({"svg.hashsalt": title}):  # the same figures give the same file
            for suffix in SUFFIXES:
                date = {"Date": None} if suffix == ".svg" else {}
                figure.savefig(stem.with_suffix(suffix), dpi=_DPI, metadata={"Title": title, **date})


def settle(figure: "Figure") -> None:
    """Lay out what is there, once: from here on everything stays where it is, and saving need not look again."""
    if (layout := figure.get_layout_engine()) is not None:
        layout.execute(figure)
        figure.set_layout_engine(None)


def _legend_inches(names: Sequence[str]) -> tuple[float, float]:
    """Width and height of a legend of these names."""
    wrapped = [textwrap.wrap(name, LEGEND_COLUMNS) or [""] for name in names]
    lines = [line for name in wrapped for line in name]
    if not lines:
        return 0.0, 0.0
    return 0.7 + 0.085 * max(map(len, lines)), 0.9 + 0.18 * len(lines) + 0.1 * len(names)


def legend_beside(
    figure: "Figure", names: Sequence[str], marks: Sequence[Style], further: Sequence["Line2D"] = ()
) -> None:
    """A legend outside the axes, so that it hides nothing however long; `further` handles have their labels."""
    from matplotlib.lines import Line2D  # noqa: PLC0415  # likewise

    handles = [
        Line2D([], [], color=style.colour, marker=style.marker, label=textwrap.fill(name, LEGEND_COLUMNS), **EDGE)
        for name, style in zip(names, marks, strict=True)
    ]
    figure.legend(handles=[*further, *handles], loc="outside right upper", frameon=False, labelspacing=0.7)


def marks_with_bars(
    axis: "Axes",
    style: Style,
    xs: Sequence[float],
    ys: Sequence[float],
    bounds: Sequence[Interval],
    size: float = EDGE["markersize"],
) -> None:
    """A line with a mark and a bar for each figure; an interval without width has no bar. `size` is in points."""
    # a pooled figure may touch a bound; rounding must not make an error bar negative
    below = [max(y - bound.low, 0.0) for y, bound in zip(ys, bounds, strict=True)]
    above = [max(bound.high - y, 0.0) for y, bound in zip(ys, bounds, strict=True)]
    axis.errorbar(
        xs,
        ys,
        yerr=[below, above] if any(below + above) else None,
        color=style.colour,
        marker=style.marker,
        **EDGE | {"markersize": size},
        linewidth=0.2 * size,
        elinewidth=0.2 * size,
        capsize=0.4 * size,
    )


def list_beside(figure: "Figure", lines: Sequence[str]) -> None:
    """A key outside the axes for labels that name nothing by themselves."""
    figure.legend(handles=key_handles(lines), loc="outside right upper", frameon=False, handlelength=0)


def key_handles(lines: Sequence[str]) -> "list[Line2D]":
    """Entries of a legend that are words only."""
    from matplotlib.lines import Line2D  # noqa: PLC0415  # likewise

    return [Line2D([], [], linestyle="", label=textwrap.fill(line, LEGEND_COLUMNS)) for line in lines]
