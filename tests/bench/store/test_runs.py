"""results/ has one reader and one writer; what a crash leaves behind is told and does no harm."""

import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.store.record import EpochRecord, RunRecord, TrialRecord
from bench.store.runs import RunWriter, create_run, read_run, write_atomically
from bench.store.windows import Window
from bench.trial import Cell, Trial
from tests.bench.execute.conftest import DEFAULT_EFFECTIVE

Plan = Callable[..., RunRecord]
Record = Callable[..., TrialRecord]


@pytest.fixture
def writer(tmp_path: Path, plan: Plan) -> RunWriter:
    return create_run(tmp_path / "results", plan(Trial(cell=Cell())))


def full_record() -> TrialRecord:
    cell = Cell(learning_rate=1, xla=True, global_batch=64)
    window = Window(phase="window", start_s=1.5, window_s=0.25, steps=13, loss=None, accuracy=0.5, short=True)
    epoch = EpochRecord(
        epoch=1, train_loss=0.1, train_accuracy=0.9, test_loss=None, test_accuracy=0.97, train_s=2, evaluate_s=0.5
    )
    return TrialRecord(
        trial=Trial(cell=cell, seed=3, repeat=1),
        status="nan",
        reason="“quoted” × und\nzwei Zeilen",
        stopped_by="budget",
        windows=[window],
        epochs=[epoch],
        peak_host_memory_bytes=2**40,
    )


def test_round_trip(writer: RunWriter, plan: Plan) -> None:
    """What is written is read back equal: the run and every field of a trial, in the order of writing."""
    other = TrialRecord(trial=Trial(cell=Cell()), status="ok")
    writer.append(full_record())
    writer.append(other)
    stored = read_run(writer.folder)
    assert stored.run == plan(Trial(cell=Cell()))
    assert stored.records == [full_record(), other]
    assert stored.damage == []


def test_folder_is_named_by_time_host_and_suite(writer: RunWriter) -> None:
    """A run's folder sorts by time, tells where it ran, and holds run.json and logs/ from the start."""
    assert writer.folder.name.endswith("-tiny")
    assert writer.folder.name[8] == "T"
    assert sorted(path.name for path in writer.folder.iterdir()) == ["logs", "run.json"]


def test_two_runs_in_one_second(tmp_path: Path, plan: Plan) -> None:
    """Runs that begin together get folders of their own."""
    folders = {create_run(tmp_path, plan()).folder for _ in range(4)}
    assert len(folders) == 4


def test_last_word_on_a_trial_counts(writer: RunWriter, record: Record) -> None:
    """A trial that was executed again replaces its earlier row."""
    for status in ("interrupted", "ok"):
        writer.append(record(status))
    stored = read_run(writer.folder)
    assert [row.status for row in stored.records] == ["ok"]


@pytest.mark.parametrize("status", ["interrupted", "skipped"])
def test_unfinished_trials_are_executed_again(writer: RunWriter, record: Record, status: str) -> None:
    """Interrupted and skipped trials are not finished; all others are, failed ones too."""
    writer.append(record(status, global_batch=10))
    writer.append(record("error", global_batch=20))
    assert read_run(writer.folder).finished == {record(global_batch=20).trial.trial_id}


def test_torn_last_line(writer: RunWriter, record: Record) -> None:
    """A line that a crash cut off is told and ignored; the next trial starts on a line of its own."""
    trials = writer.folder / "trials.jsonl"
    writer.append(record(global_batch=10))
    whole = trials.read_bytes()
    writer.append(record(global_batch=20))
    trials.write_bytes(trials.read_bytes()[:-30])
    torn = read_run(writer.folder)
    assert [row.trial.cell.global_batch for row in torn.records] == [10]
    assert torn.damage == [f"{trials}: torn last line 2 ignored: not JSON"]
    writer.append(record(global_batch=40))
    mended = read_run(writer.folder)
    assert [row.trial.cell.global_batch for row in mended.records] == [10, 40]
    assert mended.damage == [f"{trials}: line 2 ignored: not JSON"]
    assert trials.read_bytes().startswith(whole)


def test_line_torn_just_before_its_end(writer: RunWriter, record: Record) -> None:
    """A whole record without its newline is read, and the next one does not run into it."""
    trials = writer.folder / "trials.jsonl"
    writer.append(record(global_batch=10))
    trials.write_bytes(trials.read_bytes().rstrip(b"\n"))
    writer.append(record(global_batch=20))
    stored = read_run(writer.folder)
    assert ([row.trial.cell.global_batch for row in stored.records], stored.damage) == ([10, 20], [])


def test_damaged_line_in_the_middle(writer: RunWriter, record: Record) -> None:
    """A damaged line is listed by its number with what is wrong; the others are read."""
    trials = writer.folder / "trials.jsonl"
    for batch in (10, 20, 40):
        writer.append(record(global_batch=batch))
    lines = trials.read_text().splitlines()
    lines[1] = lines[1].replace('"status":"ok"', '"status":"great"')
    trials.write_text("\n".join(lines) + "\n")
    stored = read_run(writer.folder)
    assert [row.trial.cell.global_batch for row in stored.records] == [10, 40]
    assert len(stored.damage) == 1
    assert stored.damage[0].startswith(f"{trials}: line 2 ignored: status: ")


@pytest.mark.parametrize("words", ["h x y", "h 0-999999999999", "h 0-1,", "0-999999999999", "h", "h0-3"])
@pytest.mark.parametrize("name", ["cpus", "cores"])
def test_cpus_that_are_no_numbers_are_damage(writer: RunWriter, record: Record, name: str, words: str) -> None:
    """A report counts them: a line that tells nonsense is listed, and never read as numbers that fill the memory."""
    told = json.loads(record().model_copy(update={"effective": DEFAULT_EFFECTIVE}).model_dump_json())
    assert TrialRecord.model_validate(told).effective == DEFAULT_EFFECTIVE
    told["effective"][name] = ["node-1.of.us 0-3,8", words]
    (writer.folder / "trials.jsonl").write_text(json.dumps(told) + "\n")
    stored = read_run(writer.folder)
    assert stored.records == []
    assert f"effective.{name}.1" in stored.damage[0]


def test_run_without_trials_yet(writer: RunWriter) -> None:
    """A run whose first trial has not ended has no records and no damage."""
    stored = read_run(writer.folder)
    assert (stored.records, stored.damage) == ([], [])


def test_additions_of_a_newer_bench_are_ignored(writer: RunWriter, record: Record) -> None:
    """Fields that this version does not know do not make a run of the same schema unreadable."""
    content = json.loads((writer.folder / "run.json").read_text())
    (writer.folder / "run.json").write_text(json.dumps(content | {"weather": "fine"}))
    (writer.folder / "trials.jsonl").write_text(json.dumps(record().model_dump() | {"noise_db": 40.0}) + "\n")
    stored = read_run(writer.folder)
    assert (len(stored.records), stored.damage) == (1, [])


def test_log_folder_that_somebody_tidied_away(writer: RunWriter) -> None:
    """A run can be resumed after its logs were deleted."""
    (writer.folder / "logs").rmdir()
    writer.log("abc").write_text("a warning")
    assert (writer.folder / "logs" / "abc.log").exists()


def test_atomic_write_replaces_whole_files(tmp_path: Path) -> None:
    """A new text takes the place of the old one and nothing else is left in the folder."""
    path = tmp_path / "run.json"
    write_atomically(path, "old")
    write_atomically(path, "new “text”")
    assert path.read_text(encoding="utf-8") == "new “text”"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_atomic_write_that_fails(tmp_path: Path) -> None:
    """A write that breaks off, here by a text that is no UTF-8, leaves the old file and no temporary one."""
    path = tmp_path / "run.json"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "x" * 100_000 + "\ud800")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_out_that_is_a_file(tmp_path: Path, plan: Plan) -> None:
    """--out on or below a file is refused in one line, and the file stays as it was."""
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError) as caught:
            create_run(out, plan())
        assert str(caught.value).startswith(f"--out {out}: ")
        assert "folder" in str(caught.value)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc is where even root may not make a folder")
def test_out_that_cannot_be_written(plan: Plan) -> None:
    """An --out in which no folder can be made is refused with the system's reason."""
    with pytest.raises(UsageError, match=r"--out /proc/self/here: cannot be written \(.+\); name a folder that can"):
        create_run(Path("/proc/self/here"), plan())


def test_out_on_a_full_disk(tmp_path: Path, plan: Plan) -> None:
    """Where run.json cannot be written whole, no half-made run folder stays."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(UsageError) as caught:
            create_run(tmp_path, plan())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "cannot be written (File too large)" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def hostile() -> list[Any]:
    deep = "[" * 200_000
    return [
        pytest.param("", id="empty"),
        pytest.param(deep, id="deep"),
        pytest.param('{"a":' * 100_000, id="deep-objects"),
        pytest.param("[]", id="list"),
        pytest.param("null", id="null"),
        pytest.param("NaN", id="nan"),
        pytest.param("9" * 10_000, id="long-number"),
        pytest.param("{}", id="no-fields"),
        pytest.param('{"trial": {}, "suite": {"name": 3}, "status": []}', id="types"),
        pytest.param("\x00\x00\x00", id="zeros"),
        pytest.param('{"a\\nb": 1, "schema_version": "2"}', id="version-as-text"),
        pytest.param('{"schema_version": 1e999}', id="infinite-version"),
    ]


@pytest.mark.parametrize("text", hostile())
def test_hostile_run_file(writer: RunWriter, text: str) -> None:
    """Whatever run.json holds, reading it ends in one line that names the file."""
    source = writer.folder / "run.json"
    source.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_run(writer.folder)
    assert str(caught.value).startswith(f"{source}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1200


@pytest.mark.parametrize("text", [item for item in hostile() if item.id != "empty"])
def test_hostile_trial(writer: RunWriter, record: Record, text: str) -> None:
    """Whatever a line of trials.jsonl holds, it is listed as damage, and the lines around it are read."""
    around = record().model_dump_json()
    (writer.folder / "trials.jsonl").write_text(f"{around}\n{text}\n{around}\n")
    stored = read_run(writer.folder)
    assert len(stored.records) == 1
    assert len(stored.damage) == 1
    assert " line 2 ignored: " in stored.damage[0]
    assert "\n" not in stored.damage[0]
