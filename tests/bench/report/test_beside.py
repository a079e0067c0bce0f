"""The second process of a large report."""

import os
import signal

import pytest

from bench.report import beside as module
from bench.report.beside import beside
from bench.report.rows import rows_of
from bench.report.sheet import write_csv
from bench.report.writer import write_report

linux_only = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


@linux_only
def test_result_comes_back_from_another_process():
    """What the task returns is there when it is asked for, made elsewhere."""
    result = beside(os.getpid)
    assert result() != os.getpid()


@linux_only
def test_what_the_task_raises_is_raised():
    """A disk that is full in the second process is a disk that is full, with the file's name."""

    def full():
        raise OSError(28, "No space left on device", "report/plots/memory.png")

    result = beside(full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        result()
    assert caught.value.filename == "report/plots/memory.png"


@linux_only
def test_killed_process_is_no_endless_wait():
    """A second process that the system kills is an error, at once."""
    result = beside(lambda: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(ChildProcessError, match="was killed"):
        result()


@linux_only
def test_large_report_is_the_same_report(build, tmp_path, monkeypatch):
    """Rows derived in two processes, and pictures drawn in the second, are those of one process."""
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
