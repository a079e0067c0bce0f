"""`bench list`: what is stored, in one line each."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.report.cells import summarise
from bench.report.rows import rows_of
from bench.store.runs import create_run, read_run
from bench.trial import Cell, Trial

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "results" / "reference"


def bench_list(*words, cwd=ROOT):
    command = [sys.executable, "-m", "bench.cli", "list", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def two_runs(tmp_path):
    """A folder with copies of the two oldest reference runs, whose figures do not change any more."""
    for name in ("20261122T213556Z-vm-quick", "20261125T111605Z-vm-quick"):
        shutil.copytree(REFERENCE / name, tmp_path / name, ignore=shutil.ignore_patterns("report"))
    return tmp_path


def test_runs_are_listed_the_newest_first(two_runs):
    """Time, host, suite, machine, trials by status, the highest throughput as the report has it, and the folder."""
    done = bench_list(two_runs)
    assert done.returncode == 0, done.stderr
    header, newest, oldest = done.stdout.splitlines()
    assert header.split() == [
        "begun",
        "host",
        "suite",
        "machine",
        "trials",
        "highest",
        "images/s,",
        "of",
        "one",
        "run",
        "folder",
    ]
    assert newest.startswith("2026-11-25 11:16  vm    quick  AMD EPYC, 2 CPUs")
    assert "11 ok, 1 unsupported of 12" in newest
    assert "engine=fused: 1,654" in newest
    assert newest.endswith("20261125T111605Z-vm-quick")
    assert oldest.startswith("2026-11-22 21:35")


def test_json_has_the_same_for_programs(two_runs):
    """Each run with whole figures: the highest throughput is the one that a report derives."""
    found = {Path(one["folder"]).name: one for one in json.loads(bench_list(two_runs, "--json").stdout)}
    assert len(found) == 2
    for folder in two_runs.iterdir():
        stored, one = read_run(folder), found[folder.name]
        cells = [cell for cell in summarise(rows_of(stored.run, stored.records)) if cell.ok]
        best = max(cells, key=lambda cell: cell.throughput_images_per_s or 0)
        assert one["highest_images_per_s"] == pytest.approx(best.throughput_images_per_s)
        assert one["highest_cell"] == best.cell.label
        assert sum(one["statuses"].values()) == one["planned"] == 12
        assert (one["created_utc"], one["damage"]) == (stored.run.created_utc, [])


def test_damaged_runs_are_listed_with_why(tmp_path):
    """A run that cannot be read and one of which a trial cannot stand among the others, and what is wrong with them."""
    whole, torn, broken = (tmp_path / name for name in ("20260103-whole", "20260102-torn", "20260101-broken"))
    for folder in (whole, torn, broken):
        shutil.copytree(REFERENCE / "20261125T111605Z-vm-quick", folder, ignore=shutil.ignore_patterns("report"))
    with (torn / "trials.jsonl").open("a") as stream:
        stream.write('{"trial": \x1b[31m')
    (broken / "run.json").write_text('{"suite": 3}')
    done = bench_list(tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1 + 3 + 2
    assert "1 unreadable of 12" in next(line for line in lines[1:4] if line.endswith("torn"))
    assert "damaged" in next(line for line in lines[1:4] if line.endswith("broken"))
    assert lines[3].endswith("broken")
    assert any("torn last line 13 ignored" in line for line in lines[4:])
    assert any("20260101-broken/run.json: " in line and "not a run that bench wrote" in line for line in lines[4:])
    assert all(line.isprintable() for line in lines)


def test_a_run_that_has_not_begun_is_listed(build_run, tmp_path):
    """Planned, with nothing executed: no figure, and no failure either."""
    folder = create_run(tmp_path, build_run).folder
    (one,) = json.loads(bench_list(folder, "--json").stdout)
    assert (one["planned"], one["statuses"], one["highest_images_per_s"]) == (1, {}, None)
    assert "none of 1" in bench_list(folder).stdout


@pytest.fixture
def build_run(plan):
    return plan(Trial(cell=Cell()))


def test_nothing_stored_says_how_to_begin(tmp_path):
    """An empty folder is no error; a folder that is not there is one."""
    (tmp_path / "results").mkdir()
    assert bench_list(cwd=tmp_path).stdout == "No runs in results; make one with: bench run\n"
    done = bench_list("reslts", cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "reslts: no such folder" in done.stderr
