"""The second process of a large report."""

import os
import signal
import sys
import time
from contextlib import contextmanager

import psutil
import pytest

from bench.report import beside as module
from bench.report.beside import beside
from bench.report.pictures.canvas import import_libraries
from bench.report.rows import row_of, rows_of
from bench.report.sheet import write_csv
from bench.report.writer import write_report

linux_only = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


@pytest.fixture
def elsewhere(tmp_path):
    """Makes a task that runs in the second process, which has begun it before anyone else can."""
    home = os.getpid()

    @contextmanager
    def begun(task, *others):
        def marked():
            (tmp_path / "begun").touch()
            assert os.getpid() != home
            return task()

        with beside([marked, *others]) as results:
            wait_for(tmp_path / "begun")
            yield results

    return begun


def wait_for(path):
    deadline = time.monotonic() + 30
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)


@linux_only
def test_tasks_are_shared_and_come_back_in_order(elsewhere, tmp_path):
    """While the second process is at one, whoever asks for the results does the others."""

    def first():
        wait_for(tmp_path / "third")
        return os.getpid()

    def third():
        (tmp_path / "third").touch()
        return os.getpid()

    with elsewhere(first, lambda: "second", third) as results:
        theirs, second, ours = results()
    assert theirs != ours == os.getpid()
    assert second == "second"


@linux_only
def test_what_fails_here_ends_what_is_done_there(elsewhere):
    """An error of one's own share is raised without waiting for the second process, which is gone with it."""

    def failing():
        raise ValueError("no figure")

    began, before = time.monotonic(), psutil.Process().children()
    with pytest.raises(ValueError, match="no figure"), elsewhere(lambda: time.sleep(600), failing) as results:
        results()
    assert time.monotonic() - began < 300
    assert psutil.Process().children() == before


@linux_only
def test_what_a_task_raises_is_raised(elsewhere):
    """A disk that is full in the second process is a disk that is full, with the file's name."""

    def full():
        raise OSError(28, "No space left on device", "report/plots/memory.png")

    with elsewhere(full) as results, pytest.raises(OSError, match="No space left on device") as caught:
        results()
    assert caught.value.filename == "report/plots/memory.png"


class _UnsendableError(Exception):
    """Pickles, and cannot be made again from what was pickled, as many an error of a library."""

    def __init__(self, where: str, why: str):
        super().__init__(f"{where}: {why}")


@linux_only
def test_an_error_that_cannot_be_sent_still_says_what_it_is(elsewhere):
    """An error that does not survive its way back is raised as one with its name and words."""

    def fails():
        raise _UnsendableError("plots", "no room")

    with elsewhere(fails) as results, pytest.raises(RuntimeError, match="_UnsendableError: plots: no room"):
        results()


@linux_only
def test_killed_process_is_no_endless_wait(elsewhere):
    """A second process that the system kills is an error, at once."""
    with (
        elsewhere(lambda: os.kill(os.getpid(), signal.SIGKILL)) as results,
        pytest.raises(ChildProcessError, match="was killed"),
    ):
        results()


@linux_only
def test_second_process_ends_with_the_block(elsewhere):
    """What breaks off while it works leaves nothing behind."""
    before = psutil.Process().children()

    def broken_off():
        with elsewhere(lambda: time.sleep(600)):
            assert len(psutil.Process().children()) == len(before) + 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken_off()
    assert psutil.Process().children() == before


@linux_only
def test_rows_that_another_process_derived_are_whole(build, tmp_path, monkeypatch):
    """Each has its record back, in order, and figures as if it had been derived here."""
    monkeypatch.setattr(module, "MANY", 2)
    home, begun = os.getpid(), tmp_path / "begun"
    records = [build.record({"global_batch": 100 * n}, step_s=[0.01 * n] * 8) for n in (1, 2, 3)]

    def telemetry(_):
        if os.getpid() != home:
            begun.touch()

    rows = rows_of(build.run(records), records, telemetry, meanwhile=lambda: wait_for(begun))
    assert begun.exists()
    assert all(row.record is record for row, record in zip(rows, records, strict=True))
    alone = [row_of(record) for record in records]
    assert [row.throughput_images_per_s for row in rows] == [row.throughput_images_per_s for row in alone]


@linux_only
@pytest.mark.parametrize(("many", "calls"), [(2, 1), (1000, 0)])
def test_what_is_done_meanwhile_is_for_large_runs(build, monkeypatch, many, calls):
    """It is called once where a second process derives rows, and not at all where there is none."""
    monkeypatch.setattr(module, "MANY", many)
    records, called = [build.record(step_s=[0.01] * 8), build.record(seed=1, step_s=[0.01] * 8)], []
    rows_of(build.run(records), records, meanwhile=lambda: called.append(1))
    assert len(called) == calls


@linux_only
def test_a_large_report_does_without_what_cannot_be_imported(build, tmp_path, monkeypatch, capfd):
    """Page and CSV are written, and each picture is told of."""
    monkeypatch.setattr(module, "MANY", 2)
    monkeypatch.setitem(sys.modules, "seaborn", None)
    records = [build.record({"global_batch": 100 * n}, step_s=[0.01 * n] * 16) for n in (1, 2)]
    run = build.run(records)
    rows = rows_of(run, records, meanwhile=import_libraries)
    files = write_report(run, rows, build.cells(*records), tmp_path)
    assert [path.name for path in files] == ["report.html", "trials.csv", "summary.md"]
    assert "the picture throughput could not be drawn" in capfd.readouterr().err


@linux_only
def test_large_report_is_the_same_report(build, tmp_path, monkeypatch):
    """Rows and pictures that two processes make are those of one."""
    records = [
        build.record({"global_batch": 100 * n}, step_s=[0.01 * n, 0.011 * n] * 8, accuracies=[0.98]) for n in (1, 2, 3)
    ]
    run, written = build.run(records, ceilings=build.ceilings()), {}
    for many in (1000, 2):
        monkeypatch.setattr(module, "MANY", many)
        folder = tmp_path / str(many)
        write_report(run, rows := rows_of(run, records), build.cells(*records), folder)
        write_csv(folder / "rows.csv", rows)
        written[many] = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert len(written[2]) > 5
    assert written[1000] == written[2]
