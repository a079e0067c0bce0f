"""A stored run in each format, read back with the program or library that the format belongs to."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from junitparser import Failure, Skipped
from junitparser.xunit2 import JUnitXml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata, plugin_data_pb2

from bench.errors import UsageError
from bench.report.cells import summarise
from bench.report.exports.formats import EXPORTS
from bench.report.rows import Row, rows_of
from bench.report.sheet import COLUMNS
from bench.store.runs import StoredRun, create_run, read_run
from bench.trial import Cell, Trial

NASTY = "=cmd|' /C calc'!A0\x00\x1b[2J\ufffe\u202e<script>&\"'\r\n,nan"
BMF = {
    "$schema": "http://json-schema.org/draft-07/schema",
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"minLength": 1, "maxLength": 1024},
    "additionalProperties": {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 64},
        "additionalProperties": {
            "type": "object",
            "required": ["value"],
            "additionalProperties": False,
            "properties": {name: {"type": "number"} for name in ("value", "lower_value", "upper_value")},
        },
    },
}
"""What https://bencher.dev/docs/reference/bencher-metric-format asks for: its schema, and the lengths of names."""


@pytest.fixture
def stored(build, tmp_path) -> StoredRun:
    """Two repeats of a cell with epochs; a trial that failed, one out of memory, one unsupported, one to do."""
    records = [
        build.record({"engine": "fused"}, accuracies=[0.97, 0.98], windows=build.windows([0.002] * 40, first_step_s=1)),
        build.record({"engine": "fused"}, repeat=1, accuracies=[0.97, 0.99], step_s=[0.001] * 33, wall_s=12.5),
        build.record({"engine": "fit"}, status="nan", reason=NASTY, step_s=[0.1] * 3, log=NASTY),
        build.record({"global_batch": 6400}, status="oom", reason="6,400: out of memory"),
        build.record({"precision": "tf32"}, status="unsupported", reason="a CPU has none"),
    ]
    planned = [*(record.trial for record in records), Trial(cell=Cell(xla=True))]
    run = build.run(records, trials=planned, suite="star", environment={"host": NASTY, "exact_unit": "abc"})
    writer = create_run(tmp_path / "results", run)
    for record in records:
        writer.append(record)
    return read_run(writer.folder)


@pytest.fixture
def rows(stored) -> list[Row]:
    return rows_of(stored.run, stored.records)


@pytest.fixture
def export(stored, tmp_path):
    def export(name: str, run: StoredRun = stored) -> Path:
        path = tmp_path / EXPORTS[name].file_name
        EXPORTS[name].write(run, path)
        return path

    return export


@pytest.mark.parametrize("name", EXPORTS)
def test_exporting_twice_leaves_one_whole_file(export, name):
    """Nothing is left beside it, and what stood there is replaced."""
    first, again = export(name), export(name)
    assert first == again
    assert {one.name for one in first.parent.iterdir()} == {first.name, "results"}


def test_csv_is_the_reports(export, rows):
    """The columns of trials.csv, a line for each trial; no text begins a formula or ends the line."""
    with export("csv").open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert list(lines[0]) == list(COLUMNS)
    assert [line["trial_id"] for line in lines] == [row.record.trial.trial_id for row in rows]
    assert lines[2]["reason"].startswith("'=cmd")
    assert all(value.isprintable() for line in lines for value in line.values())


def test_parquet_is_typed(export, rows):
    """A row for each trial: numbers are numbers, what was not measured is null, lists are lists."""
    table = pq.read_table(export("parquet"))
    found = table.to_pylist()
    assert table.column_names == [*COLUMNS, "window_records", "epoch_records"]
    types = {name: table.schema.field(name).type for name in table.column_names}
    for name in ("throughput_images_per_s", "mfu", "input_share", "time_to_accuracy_s", "wall_s"):
        assert types[name] == pa.float64()
    for name in ("global_batch", "seed", "cpu_threads", "peak_device_memory_bytes", "steady_windows"):
        assert types[name] == pa.int64()
    assert (types["xla"], types["effective_onednn"]) == (pa.bool_(), pa.bool_())
    assert (types["engine"], types["learning_rate"], types["versions"]) == (pa.string(),) * 3
    assert (types["notes"], types["effective_devices"]) == (pa.list_(pa.string()),) * 2
    assert [one["throughput_images_per_s"] for one in found] == [row.throughput_images_per_s for row in rows]
    assert [one["test_accuracy"] for one in found] == [0.98, 0.99, None, None, None]
    assert found[2]["reason"].isprintable()
    assert table.schema.metadata[b"bench.suite"] == b"star"
    assert json.loads(table.schema.metadata[b"bench.environment"])["exact_unit"] == "abc"


def test_parquet_holds_the_raw_windows(export, stored):
    """Every window and epoch of every trial, field by field as it was stored."""
    found = pq.read_table(export("parquet")).to_pylist()
    for one, record in zip(found, stored.records, strict=True):
        assert one["window_records"] == [window.model_dump() for window in record.windows]
        assert one["epoch_records"] == [epoch.model_dump() for epoch in record.epochs]


def test_parquets_of_runs_fit_together(export, stored, build, tmp_path):
    """A run of other figures, or of none at all, has the same columns of the same types."""
    whole = pq.read_schema(export("parquet"))
    for records in ([], [build.record(status="skipped")]):
        assert pq.read_schema(export("parquet", StoredRun(tmp_path, stored.run, records))).equals(whole)


def test_junit_has_a_case_for_each_planned_trial(export, stored):
    """Ok passes, what failed fails with its status and reason, what did not run is skipped."""
    (suite,) = JUnitXml.fromfile(str(export("junit")))
    cases = {case.name: case for case in suite}
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (6, 2, 0, 2)
    assert {case.classname for case in suite} == {"bench.star"}
    assert cases["engine=fused"].is_passed
    assert cases["engine=fused,repeat=1"].time == 12.5
    (failure,) = cases["engine=fit"].result
    assert isinstance(failure, Failure)
    assert failure.type == "nan"
    assert failure.message.startswith("nan: =cmd")
    assert failure.message.isprintable()
    (skipped,) = cases["precision=tf32"].result
    assert (skipped.type, skipped.message) == ("unsupported", "unsupported: a CPU has none")
    (left,) = cases["xla=true"].result
    assert (type(left), left.message) == (Skipped, "planned, and not executed")
    assert suite.hostname.isprintable()


def test_junit_has_figures_as_properties(export, rows):
    """With units in their names; what was not measured has no property."""
    (suite,) = JUnitXml.fromfile(str(export("junit")))
    cases = {case.name: {one.name: one.value for one in case.properties()} for case in suite}
    found = cases["engine=fused"]
    assert float(found["throughput_images_per_s"]) == rows[0].throughput_images_per_s
    assert found["test_accuracy"] == "0.98"
    assert "peak_device_memory_bytes" not in found
    assert "throughput_images_per_s" not in cases["precision=tf32"]


def test_an_oom_that_was_searched_for_is_no_failure(export, stored):
    """As it leaves the exit code of the run at 0."""
    searched = StoredRun(stored.folder, stored.run.model_copy(update={"max_batch": True}), stored.records)
    (suite,) = JUnitXml.fromfile(str(export("junit", searched)))
    (found,) = next(case for case in suite if case.name == "global_batch=6400").result
    assert isinstance(found, Skipped)
    assert (found.type, found.message) == ("oom", "oom: 6,400: out of memory")


def events(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()


def test_tensorboard_has_scalars_of_windows_and_epochs(export, stored):
    """A folder for each trial: windows over training steps, epochs over their numbers, on the trial's own clock."""
    folder = export("tensorboard")
    assert {one.name for one in folder.iterdir()} == {
        *(".bench-export", "engine=fused", "engine=fused,repeat=1", "engine=fit"),
        *("global_batch=6400", "precision=tf32"),
    }
    found, record = events(folder / "engine=fused"), stored.records[0]
    rates = found.Scalars("window/images_per_s")
    assert [one.step for one in rates] == [1 + 10 * number for number in range(1, 41)]
    assert [one.value for one in rates] == pytest.approx([100_000] * 40)
    assert rates[1].wall_time - rates[0].wall_time == pytest.approx(0.02, abs=1e-4)
    losses = found.Scalars("window/train_loss")
    assert [one.value for one in losses] == pytest.approx([window.loss for window in record.windows])
    accuracies = found.Scalars("epoch/test_accuracy")
    assert [(one.step, one.value) for one in accuracies] == [(1, pytest.approx(0.97)), (2, pytest.approx(0.98))]
    assert accuracies[1].wall_time - accuracies[0].wall_time == pytest.approx(20)
    assert events(folder / "precision=tf32").Tags()["scalars"] == []


def test_tensorboard_has_settings_and_figures(export, rows):
    """As hyperparameters with the figures of the report, which the plugin reads from the trial's own folder."""
    folder = export("tensorboard") / "engine=fused"
    found = events(folder)
    (figure,) = found.Scalars("trial/throughput_images_per_s")
    assert figure.value == pytest.approx(rows[0].throughput_images_per_s)
    content = found.PluginTagToContent(metadata.PLUGIN_NAME)[metadata.SESSION_START_INFO_TAG]
    session = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    assert session.hparams["engine"].string_value == "fused"
    assert session.hparams["global_batch"].number_value == 200
    assert session.hparams["status"].string_value == "ok"


def test_tensorboard_needs_no_tensorflow(stored, tmp_path):
    """Nothing of TensorFlow is imported to write event files."""
    code = (
        "import sys; from pathlib import Path; from bench.store.runs import read_run;"
        "from bench.report.exports.formats import EXPORTS;"
        f"EXPORTS['tensorboard'].write(read_run(Path({str(stored.folder)!r})), Path({str(tmp_path / 'tb')!r}));"
        "print([name for name in ('tensorflow', 'tensorboard', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
    assert list((tmp_path / "tb" / "engine=fit").glob("events.out.tfevents.*"))


def test_no_folder_of_others_is_replaced(stored, tmp_path):
    """A folder that is no export of this program stays as it is, event files of other programs too."""
    path = tmp_path / "runs"
    path.mkdir()
    (path / "events.out.tfevents.1.here").write_text("mine")
    with pytest.raises(UsageError, match="there is something else"):
        EXPORTS["tensorboard"].write(stored, path)
    assert (path / "events.out.tfevents.1.here").read_text() == "mine"
    assert {one.name for one in tmp_path.iterdir()} == {"runs", "results"}


def test_bmf_has_a_benchmark_for_each_cell(export, rows):
    """Repeats are one cell, with the figures and the interval of the report; cells without figures are left out."""
    found = json.loads(export("bmf").read_text())
    jsonschema.Draft7Validator(BMF).validate(found)
    assert list(found) == ["engine=fused,epochs=2"]
    cell = next(cell for cell in summarise(rows) if cell.cell.engine == "fused")
    measures = found["engine=fused,epochs=2"]
    assert measures["throughput-images-per-s"] == {"value": cell.throughput_images_per_s}
    assert measures["test-accuracy"] == {"value": cell.test_accuracy}
    assert "peak-device-memory-bytes" not in measures


def test_bmf_has_the_interval_where_there_is_one(export, build, stored):
    """Bounds of the throughput around its value."""
    record = build.record(step_s=[0.001, 0.0011] * 20)
    found = json.loads(export("bmf", StoredRun(stored.folder, stored.run, [record])).read_text())
    jsonschema.Draft7Validator(BMF).validate(found)
    bounds = found["epochs=1" if "epochs=1" in found else "default"]["throughput-images-per-s"]
    assert bounds["lower_value"] < bounds["value"] < bounds["upper_value"]


def test_bmf_of_nothing_says_so(export, build, stored):
    """A file without a benchmark is none that Bencher takes."""
    failed = StoredRun(stored.folder, stored.run, [build.record(status="error", reason="x")])
    with pytest.raises(UsageError, match="no trial ended ok with a throughput; nothing to export"):
        export("bmf", failed)


@pytest.mark.parametrize("name", [name for name, one in EXPORTS.items() if one.needs])
def test_what_a_format_needs_is_named_where_it_is_missing(stored, name):
    """One line with the package and the extra, exit code 2, and nothing is written."""
    code = (
        "import sys; from importlib.machinery import PathFinder; real = PathFinder.find_spec;"
        f"missing = {EXPORTS[name].needs!r};"
        "PathFinder.find_spec = classmethod(lambda cls, name, *rest: None if name == missing else real(name, *rest));"
        f"sys.argv = ['bench', 'export', {str(stored.folder)!r}, '--to', {name!r}];"
        "import bench.cli; bench.cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    told = f"bench: --to {name}: {EXPORTS[name].needs} is not installed here; add it with: "
    assert done.stderr.startswith(told)
    assert not (stored.folder / "report").exists()


def test_damage_is_told_and_the_rest_exported(stored, tmp_path):
    """A damaged line is named on stderr; the other trials are written."""
    with (stored.folder / "trials.jsonl").open("a") as stream:
        stream.write('{"trial"')
    command = [sys.executable, "-m", "bench.cli", "export", str(stored.folder), "--to", "csv", "--out", "new/all.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "Export: new/all.csv\n"), done.stderr
    assert "torn last line 6 ignored" in done.stderr
    assert len((tmp_path / "new/all.csv").read_text().splitlines()) == 6


@pytest.mark.parametrize(
    ("name", "changes"),
    [("parquet", {"pid": 10**30}), ("tensorboard", {"epochs": 10**30})],
)
def test_figures_that_a_format_has_no_room_for(build, tmp_path, name, changes):
    """A number of a hostile file is told in one line with exit code 2, and nothing is left behind."""
    record = build.record(step_s=[0.1], accuracies=[0.9])
    line = json.loads(record.model_dump_json()) | {key: value for key, value in changes.items() if key == "pid"}
    line["epochs"][0]["epoch"] = changes.get("epochs", 1)
    folder = create_run(tmp_path, build.run([record])).folder
    (folder / "trials.jsonl").write_text(json.dumps(line) + "\n")
    assert len(read_run(folder).records) == 1
    command = [sys.executable, "-m", "bench.cli", "export", str(folder), "--to", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert f"holds what {name} cannot: " in done.stderr
    assert [*(folder / "report").iterdir()] == []
