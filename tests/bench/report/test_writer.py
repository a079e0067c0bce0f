"""The report folder of a run."""

import subprocess
import sys

import pytest

from bench.report import writer
from bench.report.writer import write_report


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def whole(build, **settings):
    return build.record(settings, step_s=[0.099, 0.101] * 8, accuracies=[0.98, 0.99], peak_host_memory_bytes=2**30)


@pytest.mark.parametrize(
    ("batches", "comparing"), [([200], []), ([64, 200], ["accuracy", "memory", "throughput"])], ids=["a cell", "two"]
)
def test_report_has_table_summary_and_pictures(build, tmp_path, batches, comparing):
    """What is returned is what is there, with nothing temporary left; pictures that compare are of several cells."""
    records = [whole(build, global_batch=batch) for batch in batches]
    paths = write_report(build.run(records), build.rows(*records), build.cells(*records), tmp_path)
    names = sorted([*comparing, "history", "step_time", "window_trace"])
    plots = [f"report/plots/{name}.{suffix}" for name in names for suffix in ("png", "svg")]
    assert files(tmp_path) == [*plots, "report/report.html", "report/summary.md", "report/trials.csv"]
    assert sorted(path.relative_to(tmp_path).as_posix() for path in paths) == files(tmp_path)


def test_second_report_is_the_same(build, tmp_path):
    """A report is a function of the records."""
    record = whole(build)
    first = {
        path: path.read_bytes()
        for path in write_report(build.run([record]), build.rows(record), build.cells(record), tmp_path)
    }
    second = {
        path: path.read_bytes()
        for path in write_report(build.run([record]), build.rows(record), build.cells(record), tmp_path)
    }
    assert first == second


def test_picture_without_data_any_more_is_removed(build, tmp_path):
    """An old picture never stands beside new tables, nor is it linked."""
    record, poor = whole(build), build.record(step_s=[0.1] * 5)
    write_report(build.run([record]), build.rows(record), build.cells(record), tmp_path)
    write_report(build.run([poor]), build.rows(poor), build.cells(poor), tmp_path)
    assert files(tmp_path) == [
        *("report/report.html", "report/summary.md", "report/trials.csv"),
    ]
    assert "history.png" not in (tmp_path / "report/summary.md").read_text(encoding="utf-8")


def test_failure_leaves_the_old_file_whole(build, tmp_path, monkeypatch):
    """A report that breaks off leaves no half file and no temporary one."""
    record = whole(build)
    write_report(build.run([record]), build.rows(record), build.cells(record), tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}

    def broken(path, account, plots):
        path.write_text("half")
        raise OSError("no space left")

    monkeypatch.setattr(writer, "write_summary", broken)
    with pytest.raises(OSError, match="no space left"):
        write_report(build.run([record]), build.rows(record), build.cells(record), tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def test_report_starts_without_slow_imports():
    """Tables need no drawing library and no report needs TensorFlow: `bench --help` starts fast."""
    heavy = "{'tensorflow', 'keras', 'matplotlib', 'seaborn', 'pandas', 'scipy.stats'}"
    code = f"import sys, bench.report.writer, bench.report.tables; print({heavy} & set(sys.modules) or 'none')"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "none\n"
