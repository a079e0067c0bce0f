"""The finished trials of a run as lines of the live display."""

import textwrap
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from bench.report.names import short_names
from bench.report.rows import Row, row_of
from bench.report.text import mebibytes, percent, shorten, with_interval
from bench.store.record import TrialRecord
from bench.trial import Trial

Line = list[tuple[str, str]]
"""Words and their style, one after the other."""
_STYLES = {"ok": "green", "unsupported": "dim", "skipped": "dim", "interrupted": "yellow"}
_GAP = "  "
_STATUS = 13
_FIGURES = (24, 8, 8)
"""Characters of throughput with interval, accuracy, and memory."""
_HEADERS = ("images/s (95 % interval)", "acc %", "MiB")
_LEAST_NAME = 12
_LEAST_REASON = 20
_REASON_LINES = 2


class Finished:
    """The trials that are done, the newest last; every trial of the run has a name that tells it from the others."""

    def __init__(self, trials: Sequence[Trial]):
        cells, self.shared = short_names([trial.cell for trial in trials])
        self.names = _names(trials, cells)
        self._longest = max(map(cell_len, self.names.values()), default=0)
        self._rows: list[Row] = []
        self._drawn: list[list[Line]] = []
        self._drawn_width = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, record: TrialRecord) -> None:
        """One more trial is done."""
        self._rows.append(row_of(record))

    def lines(self, width: int, height: int) -> list[Line]:
        """At most so many lines: a heading, and as many of the newest trials as fit beneath."""
        name_width = max(_LEAST_NAME, min(self._longest, width - len(_GAP) - _STATUS - sum(_FIGURES)))
        if width != self._drawn_width:
            self._drawn, self._drawn_width = [], width
        self._drawn += [self._lines_of(row, name_width, width) for row in self._rows[len(self._drawn) :]]
        room, shown = height - 1, list[Line]()
        for lines in reversed(self._drawn):
            if len(shown) + len(lines) > room:
                break
            shown = [*lines, *shown]
        heading = f"{set_cell_size('finished', name_width)}{_GAP}{'status':{_STATUS}}{_columns(_HEADERS)}"
        return [[(heading, "dim")], *shown] if shown else []

    def _lines_of(self, row: Row, name_width: int, width: int) -> list[Line]:
        """One trial: its figures in a line, else the reason why there are none, in two where it must be."""
        record = row.record
        name, style = (
            set_cell_size(self.names[record.trial.trial_id], name_width),
            _STYLES.get(record.status, "bold red"),
        )
        begin: Line = [(name + _GAP, ""), (f"{record.status:{_STATUS}}", style)]
        indent = name_width + len(_GAP) + _STATUS
        if row.throughput_images_per_s is not None:
            return [[*begin, (f"{_figures(row)}{_GAP}{shorten(record.reason or '')}".rstrip(), "")]]
        room = max(width - indent, _LEAST_REASON)
        first, *rest = textwrap.wrap(shorten(record.reason or ""), room, max_lines=_REASON_LINES, placeholder="…") or [
            ""
        ]
        return [[*begin, (first, "")], *([(" " * indent + more, "")] for more in rest)]


def _figures(row: Row) -> str:
    memory = mebibytes(row.record.peak_device_memory_bytes or row.record.peak_host_memory_bytes)
    return _columns((with_interval(row.throughput_images_per_s, row.interval), percent(row.test_accuracy), memory))


def _columns(words: tuple[str, str, str]) -> str:
    return "".join(f"{word:>{width}}" for word, width in zip(words, _FIGURES, strict=True))


def _names(trials: Sequence[Trial], cells: Sequence[str]) -> dict[str, str]:
    """By trial id: the name of its cell, with seed and repeat where there are several."""
    several = {name: len({getattr(trial, name) for trial in trials}) > 1 for name in ("seed", "repeat")}
    return {
        trial.trial_id: cell + "".join(f" {name} {getattr(trial, name)}" for name in several if several[name])
        for trial, cell in zip(trials, cells, strict=True)
    }
