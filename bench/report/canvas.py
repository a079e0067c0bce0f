"""How every picture looks: size, colours, title, footnote, legend. Draws on its own canvas, never on a screen."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_MARKERS = "os^DvPX"
"""Seven markers against ten colours: seventy series before a pair repeats, and shapes for who sees no colours."""
_DPI = 120
_TITLE_COLUMNS, _NOTE_COLUMNS, _LEGEND_COLUMNS = 84, 120, 34
GREY = "0.35"


@dataclass(frozen=True)
class Style:
    """The colour and marker of one series."""

    colour: tuple[float, float, float]
    marker: str


def styles(count: int) -> list[Style]:
    """Distinct colour-blind safe styles, one for each series."""
    import seaborn as sns  # noqa: PLC0415  # a second of import that only drawing needs

    colours = sns.color_palette("colorblind")
    return [Style(*pair) for pair in islice(zip(cycle(colours), cycle(_MARKERS), strict=False), count)]


@contextmanager
def picture(
    path: Path, title: str, note: str, panels: int, size: tuple[float, float]
) -> Iterator["list[Axes]"]:
    """Axes side by side, saved as PNG at the end; `size` is width and height in inches, `note` stands beneath."""
    import seaborn as sns  # noqa: PLC0415  # likewise
    from matplotlib.figure import Figure  # noqa: PLC0415  # likewise

    with sns.plotting_context("notebook", font_scale=0.9), sns.axes_style("whitegrid"):
        figure = Figure(figsize=size, dpi=_DPI, layout="constrained")
        figure.suptitle(textwrap.fill(title, _TITLE_COLUMNS), x=0.01, ha="left", weight="bold", size="large")
        if note:
            figure.supxlabel(textwrap.fill(note, _NOTE_COLUMNS), x=0.01, ha="left", size="small", color=GREY)
        yield list(figure.subplots(1, panels, squeeze=False)[0])
        figure.savefig(path, dpi=_DPI)


def legend_beside(figure: "Figure", names: Sequence[str], marks: Sequence[Style]) -> None:
    """A legend outside the axes, so that it hides nothing however long."""
    labels = [textwrap.fill(name, _LEGEND_COLUMNS) for name in names]
    handles = [_handle(style) for style in marks]
    figure.legend(handles, labels, loc="outside right upper", frameon=False, labelspacing=0.7)


def _handle(style: Style) -> "Line2D":
    from matplotlib.lines import Line2D  # noqa: PLC0415  # likewise

    return Line2D([], [], color=style.colour, marker=style.marker, markeredgecolor="0.2", markeredgewidth=0.6)


def height_for(names: Sequence[str], least: float = 4.8) -> float:
    """Inches that a legend of these names needs."""
    lines = sum(len(textwrap.wrap(name, _LEGEND_COLUMNS)) or 1 for name in names)
    return max(least, 1.2 + 0.2 * lines + 0.08 * len(names))
