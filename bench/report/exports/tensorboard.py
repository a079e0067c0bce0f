"""TensorBoard's event files: a folder for each trial, with scalars of each window and epoch, and its settings.

Written by tensorboardX, without TensorFlow. `window/…` counts training steps, all that the trial made up to its
end; `window/images_per_s` is of the windows that were timed, warm-up included. `epoch/…` counts epochs. The table of
hyperparameters has the settings, and under `trial/…` the figures that reports show.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UsageError
from bench.report.exports.pytest_benchmark import names_of
from bench.report.rows import Row, stored_rows
from bench.store.record import TrialRecord
from bench.store.runs import StoredRun

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter

_MARK = ".bench-export"
"""A file that says that the folder is an export, so that the next one may take its place."""
_LONGEST_NAME = 200
"""Bytes of a folder's name: file systems take 255."""


def write_tensorboard(stored: StoredRun, path: Path) -> None:
    """Write a folder, of which an earlier export is replaced; raises UsageError where anything else stands there."""
    from tensorboardX import SummaryWriter  # noqa: PLC0415  # an extra

    rows = stored_rows(stored)
    names = names_of([record.trial for record in stored.records])
    with _replacing_folder(path) as folder:
        for row in rows:
            trial_id = row.record.trial.trial_id
            name = names[trial_id]
            below = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 30]}…{trial_id}"
            with SummaryWriter(str(folder / below)) as writer:
                began_s = _began_s(row.record.started_utc or stored.run.created_utc)
                _add_windows(writer, row.record, began_s)
                _add_epochs(writer, row.record, began_s)
                _add_settings(writer, row, began_s)


@contextmanager
def _replacing_folder(path: Path) -> Iterator[Path]:
    """A new folder beside `path` that becomes it if the block ends well; what stood there must be an export too."""
    if path.exists() and not (path / _MARK).is_file():
        raise UsageError(f"--out {path}: there is something else; name a folder that is not there yet")
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    beside.mkdir()
    try:
        (beside / _MARK).touch()
        yield beside
        shutil.rmtree(path, ignore_errors=True)
        beside.rename(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _began_s(utc: str) -> float:
    """Seconds since 1970; 0 for a time that cannot be read."""
    try:
        return datetime.fromisoformat(utc).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def _add_windows(writer: "SummaryWriter", record: TrialRecord, began_s: float) -> None:
    """The clock of windows is another than the calendar's: the first of them is put where the trial began."""
    windows, batch = record.windows, record.trial.cell.global_batch
    for window, steps in zip(windows, accumulate(windows.steps), strict=True):
        at_s = began_s + window.start_s + window.window_s - windows.start_s[0]
        if window.phase == "window":
            writer.add_scalar("window/images_per_s", window.steps * batch / window.window_s, steps, at_s)
        if window.loss is not None:
            writer.add_scalar("window/train_loss", window.loss, steps, at_s)
        writer.add_scalar("window/train_accuracy", window.accuracy, steps, at_s)


def _add_epochs(writer: "SummaryWriter", record: TrialRecord, began_s: float) -> None:
    first_s = record.windows.start_s[0] if record.windows.start_s else None
    for epoch in record.epochs:
        ended_s = None if epoch.evaluate_start_s is None else epoch.evaluate_start_s + epoch.evaluate_s
        at_s = None if ended_s is None or first_s is None else began_s + ended_s - first_s
        for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy"):
            if (value := getattr(epoch, name)) is not None:
                writer.add_scalar(f"epoch/{name}", value, epoch.epoch, at_s)


def _add_settings(writer: "SummaryWriter", row: Row, began_s: float) -> None:
    """The row of the trial in the table of hyperparameters; `add_hparams` would put it into a folder of its own."""
    from tensorboardX.summary import hparams  # noqa: PLC0415  # an extra

    trial, record = row.record.trial, row.record
    settings: dict[str, Any] = {**trial.cell.model_dump(exclude_none=True), "seed": trial.seed, "repeat": trial.repeat}
    figures = {
        "throughput_images_per_s": row.throughput_images_per_s,
        "test_accuracy": row.test_accuracy,
        "peak_host_memory_bytes": record.peak_host_memory_bytes,
        "peak_device_memory_bytes": record.peak_device_memory_bytes,
    }
    known = {f"trial/{name}": float(value) for name, value in figures.items() if value is not None}
    for summary in hparams({**settings, "status": record.status}, known):
        writer.file_writer.add_summary(summary, walltime=began_s)
    for tag, value in known.items():
        writer.add_scalar(tag, value, 0, began_s)
