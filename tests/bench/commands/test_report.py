"""`bench report` of several runs, some of them damaged."""

import subprocess
import sys

from bench.store.runs import create_run


def report(*folders):
    command = [sys.executable, "-m", "bench.cli", "report", *map(str, folders)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def stored(parent, plan, record):
    done = record("ok")
    writer = create_run(parent, plan(done.trial))
    writer.append(done)
    return writer.folder


def test_damaged_run_is_told_of_and_the_others_are_reported(tmp_path, plan, record):
    """One line for the run that cannot be read; the ones before and behind it have their pages, which are named."""
    first, last = (stored(tmp_path / name, plan, record) for name in ("a", "b"))
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "run.json").write_text('{"suite": 5, "trials": NaN}')
    done = report(first, damaged, last)
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"bench: {damaged}/run.json: ")
    assert line.endswith("; skipped")
    for folder in (first, last):
        assert (folder / "report" / "report.html").is_file()
        assert f"Report: {folder}/report/report.html" in done.stdout
    assert not (damaged / "report").exists()


def test_tables_are_shown_where_the_report_cannot_be_written(tmp_path, plan, record):
    """What was measured is told once, then what is in the way."""
    folder = stored(tmp_path, plan, record)
    (folder / "report").write_text("in the way")
    done = report(folder)
    assert done.returncode != 0
    assert done.stdout.count("95 % interval") == 1
    assert f"{folder}/report" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_readable_is_wrong_usage(tmp_path):
    """A line for each folder, and exit code 2."""
    done = report(tmp_path / "x", tmp_path / "y")
    assert done.returncode == 2
    assert [line.split(":")[1].strip() for line in done.stderr.splitlines()] == [
        str(tmp_path / name / "run.json") for name in ("x", "y")
    ]


def test_damaged_trials_are_told_of_and_left_out(tmp_path, plan, record):
    """A torn or foreign line costs its own trial only."""
    folder = stored(tmp_path, plan, record)
    with (folder / "trials.jsonl").open("a") as stream:
        stream.write('{"trial": {"cell": {"engine": 7}}, "status": "ok"}\n\x00\x01 not json\n{"trial": nu')
    done = report(folder)
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 3
    assert "torn last line 4 ignored" in done.stderr
    assert (folder / "report" / "report.html").is_file()
