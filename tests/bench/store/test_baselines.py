"""The store of baselines: small files that are pruned, and whatever somebody else put there does no harm."""

import json
import os
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.store.baselines import KEPT, keep_baseline, read_baselines, units_in
from tests.bench.guard.stored.conftest import UNIT, cell_figures, figures


def test_what_is_kept_is_read_back_oldest_first(tmp_path: Path) -> None:
    """All figures come back, a file for each run, and nothing temporary beside them."""
    full = cell_figures(log_error=0.01, peak_host_memory_bytes=5, test_accuracy=0.99, seeds=[3])
    runs = [figures(2, full), figures(1, cell_figures(900.0))]
    assert [keep_baseline(tmp_path, run) for run in runs] == [True, True]
    assert read_baselines(tmp_path, UNIT).runs == [runs[1], runs[0]]
    assert sorted(path.name for path in (tmp_path / UNIT).iterdir()) == [f"{n:016x}.json" for n in (1, 2)]
    assert units_in(tmp_path) == [UNIT]


def test_a_run_is_kept_once(tmp_path: Path) -> None:
    """Promoting it again changes nothing, whatever it is called by then."""
    run = figures(1, cell_figures())
    keep_baseline(tmp_path, run)
    assert not keep_baseline(tmp_path, run.model_copy(update={"name": "copy"}))
    assert read_baselines(tmp_path, UNIT).runs == [run]


def test_units_do_not_see_each_other(tmp_path: Path) -> None:
    """A baseline of one machine is none of another."""
    keep_baseline(tmp_path, figures(1, cell_figures(), exact_unit="f" * 16))
    assert read_baselines(tmp_path, UNIT).runs == []
    assert units_in(tmp_path) == ["f" * 16]
    assert units_in(tmp_path / "nowhere") == []


def test_the_newest_runs_of_each_cell_stay(tmp_path: Path) -> None:
    """A cell that every run has is pruned to the newest 20; one that only the oldest has stays, and its run with it."""
    rare = cell_figures(cell={"xla": True})
    keep_baseline(tmp_path, figures(0, cell_figures(), rare))
    for number in range(1, KEPT + 3):
        keep_baseline(tmp_path, figures(number, cell_figures()))
    runs = read_baselines(tmp_path, UNIT).runs
    assert [run.name for run in runs] == ["run-0", *(f"run-{number}" for number in range(3, KEPT + 3))]
    assert runs[0].cells == [rare]


def test_figures_that_are_no_figures_are_refused(tmp_path: Path) -> None:
    """Nothing of them is written."""
    with pytest.raises(ValueError, match="throughput_images_per_s"):
        keep_baseline(tmp_path, figures(1, cell_figures(-1.0)))
    assert not (tmp_path / UNIT).exists()


def _changed(path: Path, **change: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


HOSTILE = {
    "torn": (lambda path: path.write_bytes(path.read_bytes()[:99]), "not JSON"),
    "bytes": (lambda path: path.write_bytes(b"\xff\x1b[31m"), "not JSON"),
    "deep": (lambda path: path.write_text("[" * 100_000), "not JSON"),
    "list": (lambda path: path.write_text("[]"), "ignored"),
    "large": (lambda path: path.write_text(" " * 8_000_001), "not a baseline"),
    "pipe": (_pipe, "not a baseline"),
    "folder": (_folder, "not a baseline"),
    "infinite": (lambda path: path.write_text(path.read_text().replace("1000.0", "1e999")), "finite number"),
    "text": (lambda path: path.write_text(path.read_text().replace("1000.0", '"1000"')), "a number"),
    "zero": (lambda path: path.write_text(path.read_text().replace("1000.0", "0")), "more than 0"),
    "another unit": (lambda path: _changed(path, exact_unit="f" * 16), "of another unit"),
    "another run": (lambda path: _changed(path, run_id="f" * 16), "another run's name"),
    "newer": (lambda path: _changed(path, baseline_version=2), "baseline_version"),
    "many cells": (lambda path: _changed(path, cells=[{}] * 5001), "cells"),
    "long name": (lambda path: _changed(path, name="x" * 401), "name"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_unusable_file_is_left_out_with_one_line(tmp_path: Path, kind: str) -> None:
    """Whatever stands there, the other runs are read, and one printable line names the file and the mend."""
    spoil, told = HOSTILE[kind]
    keep_baseline(tmp_path, figures(1, cell_figures()))
    keep_baseline(tmp_path, figures(2, cell_figures(2000.0)))
    spoil(tmp_path / UNIT / f"{1:016x}.json")
    found = read_baselines(tmp_path, UNIT)
    assert [run.name for run in found.runs] == ["run-2"]
    (line,) = found.damage
    assert f"{1:016x}.json" in line
    assert told in line
    assert "promote the run again, or delete it" in line
    assert line.isprintable()


def test_a_folder_of_anything_is_no_store(tmp_path: Path) -> None:
    """Thousands of files are refused before one is read."""
    (tmp_path / UNIT).mkdir()
    for number in range(1001):
        (tmp_path / UNIT / f"{number}.json").touch()
    with pytest.raises(UsageError, match="1,001 files are no store of baselines; name another with --store"):
        read_baselines(tmp_path, UNIT)
