"""The finished trials of a run as lines of the live display."""

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
_STATUS = 11
_FIGURES = (24, 9, 9)
"""Characters of throughput with interval, accuracy, and memory."""
_LEAST_NAME = 12


class Finished:
    """The trials that are done, the newest last; every trial of the run has a name that tells it from the others."""

    def __init__(self, trials: Sequence[Trial]):
        cells, self.shared = short_names([trial.cell for trial in trials])
        self.names = _names(trials, cells)
        self._rows: list[Row] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, record: TrialRecord) -> None:
        """One more trial is done."""
        self._rows.append(row_of(record))

    def lines(self, width: int, height: int) -> list[Line]:
        """At most so many lines: a heading, and as many of the newest trials as fit beneath."""
        shown = self._rows[-(height - 1) :] if height > 1 else []
        if not shown:
            return []
        longest = max(map(cell_len, self.names.values()))
        name_width = max(_LEAST_NAME, min(longest, 2 * width // 5))
        headers = ("images/s (95 % interval)", "acc %", "MiB")
        heading = f"{set_cell_size('finished', name_width)}  {'status':{_STATUS}}{_columns(headers)}"
        return [[(heading, "dim")], *(self._line(row, name_width) for row in shown)]

    def _line(self, row: Row, name_width: int) -> Line:
        status = row.record.status
        name = set_cell_size(self.names[row.record.trial.trial_id], name_width)
        return [(f"{name}  ", ""), (f"{status:{_STATUS}}", _STYLES.get(status, "bold red")), (_result(row), "")]


def _result(row: Row) -> str:
    """The figures; where there is none, why."""
    record = row.record
    reason = shorten(record.reason or "")
    if row.throughput_images_per_s is None:
        return f"  {reason}"
    memory = mebibytes(record.peak_device_memory_bytes or record.peak_host_memory_bytes)
    figures = (with_interval(row.throughput_images_per_s, row.interval), percent(row.test_accuracy), memory)
    return f"{_columns(figures)}  {reason}".rstrip()


def _columns(words: tuple[str, str, str]) -> str:
    return "".join(f"{word:>{width}}" for word, width in zip(words, _FIGURES, strict=True))


def _names(trials: Sequence[Trial], cells: Sequence[str]) -> dict[str, str]:
    """By trial id: the name of its cell, with seed and repeat where there are several."""
    several = {name: len({getattr(trial, name) for trial in trials}) > 1 for name in ("seed", "repeat")}
    return {
        trial.trial_id: cell + "".join(f" {name} {getattr(trial, name)}" for name in several if several[name])
        for trial, cell in zip(trials, cells, strict=True)
    }
