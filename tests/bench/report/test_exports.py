"""Stored runs in pytest-benchmark's JSON, and back."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_benchmark.stats import Stats

from bench.errors import UsageError
from bench.report.exports.benchmark_reader import read_pytest_benchmark
from bench.report.exports.benchmark_stats import benchmark_stats
from bench.report.exports.pytest_benchmark import names_of, write_pytest_benchmark
from bench.report.rows import rows_of
from bench.store.runs import StoredRun, create_run, read_run
from bench.trial import Cell, Trial

ENVIRONMENT = {"host": "here", "exact_unit": "abc", "machine_class": {"id": "123456789abc", "cpu_model": "x"}}


@pytest.fixture
def stored(build, tmp_path) -> StoredRun:
    """A run of a trial with epochs, a repeat, a short window, a trial that failed, and one that cannot run."""
    short = build.windows([0.002] * 40, steps=10)
    short[-1] = short[-1].model_copy(update={"steps": 3, "window_s": 0.006, "short": True})
    records = [
        build.record(
            {"engine": "fused"}, accuracies=[0.97, 0.98], windows=short, log="logs/a.log", stopped_by="epochs"
        ),
        build.record({}, repeat=1, step_s=[0.001] * 33),
        build.record({"engine": "fit"}, status="nan", reason="the loss", step_s=[0.1] * 3),
        build.record({"precision": "tf32"}, status="unsupported", reason="a CPU has none"),
    ]
    run = build.run(records, environment=ENVIRONMENT)
    writer = create_run(tmp_path / "results", run)
    for record in records:
        writer.append(record)
    return read_run(writer.folder)


@pytest.fixture
def exported(stored, tmp_path) -> Path:
    path = tmp_path / "out.json"
    write_pytest_benchmark(stored, path)
    return path


@given(st.lists(st.floats(1e-9, 1e3), min_size=1, max_size=60))
def test_statistics_are_those_of_pytest_benchmark(data):
    """Every field that its own class derives from the same rounds, to the last digit."""
    theirs = Stats()
    for value in data:
        theirs.update(value)
    expected = theirs.as_dict()
    ours = benchmark_stats(data)
    assert {name: ours[name] for name in expected} == expected
    assert (ours["data"], ours["iterations"]) == (data, 1)


def test_no_rounds_have_no_statistics():
    """Nothing is made up."""
    with pytest.raises(ValueError, match="no rounds"):
        benchmark_stats([])


def test_each_trial_that_went_well_is_a_benchmark(exported):
    """Its rounds are seconds per image of its windows, its name is that of `pytest bench/perf`."""
    benchmarks = {one["param"]: one for one in json.loads(exported.read_text())["benchmarks"]}
    assert set(benchmarks) == {"engine=fused", "repeat=1"}
    fused = benchmarks["engine=fused"]
    assert fused["fullname"] == "bench/perf/test_training.py::test_training[engine=fused]"
    assert fused["stats"]["data"] == pytest.approx([0.002 / 200] * 40), "a short window counts by its images"
    assert fused["stats"]["ops"] == pytest.approx(100_000)
    told = fused["extra_info"]
    assert told["throughput_images_per_s"] == pytest.approx(100_000)
    assert (told["test_accuracy"], told["epochs"]) == (0.98, 2)
    assert (told["machine_class"], told["exact_unit"]) == ("123456789abc", "abc")


def test_run_comes_back_as_it_was(stored, exported, tmp_path):
    """Every trial, the failed ones too, with raw windows; only the paths of what stayed in the old folder are gone."""
    back = read_pytest_benchmark(exported)
    assert back.damage == []
    assert back.run == stored.run
    expected = {one.trial.trial_id: one.model_copy(update={"log": None}) for one in stored.records}
    assert {one.trial.trial_id: one for one in back.records} == expected
    write_pytest_benchmark(StoredRun(tmp_path, back.run, back.records), tmp_path / "again.json")
    once, again = (json.loads(path.read_text()) for path in (exported, tmp_path / "again.json"))
    assert [one["stats"] for one in again["benchmarks"]] == [one["stats"] for one in once["benchmarks"]]
    figures = [row.throughput_images_per_s for row in rows_of(back.run, back.records)]
    assert sorted(filter(None, figures)) == sorted(
        filter(None, (row.throughput_images_per_s for row in rows_of(stored.run, stored.records)))
    )


def test_pytest_benchmark_reads_it(exported, tmp_path):
    """Its own command line compares the file with a copy: every trial is there, none is slower."""
    shutil.copy(exported, tmp_path / "copy.json")
    words = ["pytest_benchmark", "compare", "--between=mean,ops", exported.name, "copy.json"]
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "seconds per trained image (OPS: images/s)" in done.stdout
    for name in ("engine=fused", "repeat=1"):
        (line,) = [line for line in done.stdout.splitlines() if f"test_training[{name}]" in line]
        assert "0.0%" in line


def test_names_tell_trials_apart():
    """By the settings that differ from their defaults; by epochs only where there is nothing else."""
    cells = [{}, {"epochs": 0}, {"engine": "fit", "epochs": 3}, {"xla": True, "learning_rate": 0.1}]
    trials = [Trial(cell=Cell(**cell)) for cell in cells] + [Trial(cell=Cell(), seed=2, repeat=1)]
    expected = ["epochs=1", "epochs=0", "engine=fit", "xla=true,learning_rate=0.1", "seed=2,repeat=1"]
    assert [*names_of(trials).values()] == expected


def broken(**changes):
    """Changes a valid file: `a.b.0.c=value`, with __ for the dots."""

    def edit(text: str) -> str:
        content = json.loads(text)
        for path, value in changes.items():
            inner, keys = content, [int(key) if key.isdecimal() else key for key in path.split("__")]
            for key in keys[:-1]:
                inner = inner[key]
            inner[keys[-1]] = value
        return json.dumps(content)

    return edit


HOSTILE = {
    "not JSON": (lambda _: "{", "not a file that bench wrote"),
    "a list": (lambda _: "[]", "not a file that bench wrote"),
    "brackets without end": (lambda _: "[" * 100_000, "not a file that bench wrote"),
    "nobody's": (lambda _: '{"benchmarks": []}', "without a run of bench in it"),
    "a folder elsewhere": (broken(bench__run__suite="../../x"), "bench.run.suite: '../../x' is no name of a suite"),
    "a newer schema": (broken(bench__run__schema_version=99), "bench.run.schema_version 99 is newer"),
    "a run without trials": (broken(bench__run__trials=None), "bench.run.trials: a list"),
    "a round that is no number": (broken(benchmarks__0__stats__data=["x"]), "benchmarks.0.stats.data.0: a number"),
    "a record that is none": (broken(benchmarks__0__extra_info__bench_record={"trial": 3}), "bench_record.trial"),
    "seconds without end": (
        broken(benchmarks__0__stats__data__0=math.inf),
        "benchmarks.0.stats.data.0: a finite number",
    ),
    "a window without end": (
        broken(benchmarks__0__extra_info__bench_record__windows__window_s__0=math.nan),
        "bench_record.windows",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_file(exported, case):
    """One line that names the file and what is wrong with it; nothing is made of it."""
    edit, expected = HOSTILE[case]
    exported.write_text(edit(exported.read_text()))
    with pytest.raises(UsageError) as error:
        read_pytest_benchmark(exported)
    assert str(error.value).startswith(str(exported))
    assert expected in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["nowhere.json", "."])
def test_no_file(tmp_path, name):
    """Neither what is not there nor a folder is read."""
    with pytest.raises(UsageError, match="give a JSON file of pytest-benchmark"):
        read_pytest_benchmark(tmp_path / name)


def test_rounds_that_are_not_their_windows_are_left_out(exported):
    """A figure that somebody edited is not taken over beside windows that say otherwise; the others are."""
    content = json.loads(exported.read_text())
    content["benchmarks"][0]["stats"]["data"][3] /= 2
    exported.write_text(json.dumps(content))
    back = read_pytest_benchmark(exported)
    assert len(back.records) == 3
    (line,) = back.damage
    assert "ignored: its rounds are not the windows that came with them" in line


def test_benchmarks_of_others_are_left_out(exported):
    """A file may hold a project's own benchmarks too."""
    content = json.loads(exported.read_text())
    content["benchmarks"].append({"fullname": "a\x1b[31m::b", "stats": {"data": [1]}, "extra_info": {}})
    exported.write_text(json.dumps(content))
    back = read_pytest_benchmark(exported)
    assert len(back.records) == 4
    assert len(back.damage) == 1
    assert back.damage[0].isprintable()


def test_export_and_import_commands(stored, tmp_path):
    """A run is written into its report/ by default, and becomes a run folder again of which reports can be made."""

    def bench(*words):
        command = [sys.executable, "-m", "bench.cli", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    done = bench("export", str(stored.folder), "--to", "pytest-benchmark")
    path = stored.folder / "report" / "pytest-benchmark.json"
    assert (done.returncode, done.stdout) == (0, f"Export: {path}\n"), done.stderr
    done = bench("import", str(path), "--out", "back")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "back").iterdir()
    assert done.stdout == f"Run: back/{folder.name}, 4 trials\n"
    assert {one.trial.trial_id for one in read_run(folder).records} == {one.trial.trial_id for one in stored.records}
