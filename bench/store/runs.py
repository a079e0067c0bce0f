"""The one reader and writer of results/: a run is a folder with run.json, trials.jsonl and logs/."""

import json
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from bench.errors import UsageError, did_you_mean, first_fault
from bench.store.record import SCHEMA_VERSION, RunRecord, TrialRecord


@dataclass(frozen=True)
class StoredRun:
    """A run as read back; `damage` lists, a line each, what could not be read and was left out."""

    folder: Path
    run: RunRecord
    records: list[TrialRecord]
    damage: list[str] = field(default_factory=list)

    @property
    def finished(self) -> set[str]:
        """Ids of the trials that need not be executed again."""
        return {record.trial.trial_id for record in self.records if record.status not in {"interrupted", "skipped"}}


class RunWriter:
    """Appends to one run folder; every trial is on the disk before the next one starts."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._trials = folder / "trials.jsonl"

    def append(self, record: TrialRecord) -> None:
        """Add one trial."""
        append_line(self._trials, record.model_dump_json())

    def write_run(self, run: RunRecord) -> None:
        """Replace run.json in one step."""
        write_atomically(self.folder / "run.json", run.model_dump_json(indent=1))

    def telemetry(self, trial_id: str) -> Path:
        """The file for what one trial's GPUs did."""
        return self.folder / "telemetry" / f"{trial_id}.jsonl"

    def log(self, trial_id: str) -> Path:
        """The file for one trial's stderr; its folder is there, even if somebody tidied it away."""
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        return logs / f"{trial_id}.log"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` that becomes it if the block ends well, so that a reader sees the old file or the new."""
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a text whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def append_line(path: Path, text: str) -> None:
    """Add a line, flushed and fsynced; a torn line left by a crash is closed off first."""
    line = text.encode() + b"\n"
    with path.open("ab+") as stream:
        if stream.tell():
            stream.seek(-1, os.SEEK_END)
            line = line if stream.read(1) == b"\n" else b"\n" + line
        stream.write(line)
        stream.flush()
        os.fsync(stream.fileno())


def read_plain(path: Path, most_bytes: int, what: str) -> bytes:
    """The bytes of a plain file of a sensible size; anything else, such as a pipe that never ends, is an OSError."""
    if not path.is_file() or path.stat().st_size > most_bytes:
        raise OSError(0, f"not {what}")
    return path.read_bytes()


def create_run(parent: Path, run: RunRecord) -> RunWriter:
    """Create `<UTC time>-<host>-<suite>/` below `parent`; UsageError where that cannot be written."""
    return RunWriter(create_folder(parent, run.suite, lambda folder: RunWriter(folder).write_run(run)))


def create_folder(parent: Path, what: str, write: Callable[[Path], None]) -> Path:
    """Create `<UTC time>-<host>-<what>/` below `parent` with logs/ in it and what `write` puts there, or none at all.

    Raises UsageError where that cannot be written.
    """
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    host = re.sub(r"[^A-Za-z0-9_.-]", "_", socket.gethostname()) or "host"
    name = f"{moment}-{host}-{what}"
    for attempt in range(1, 100):
        folder = parent / (name if attempt == 1 else f"{name}-{attempt}")
        try:
            (folder / "logs").mkdir(parents=True)
            _written_whole(folder, write)
        except FileExistsError:
            if folder.is_dir():
                continue
            raise UsageError(f"--out {parent}: not a folder; name one that can be written") from None
        except OSError as error:
            raise UsageError(f"--out {parent}: cannot be written ({error.strerror}); name a folder that can") from None
        return folder
    raise UsageError(f"--out {parent}: 100 runs began there in this second; try again")


def _written_whole(folder: Path, write: Callable[[Path], None]) -> None:
    try:
        write(folder)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def read_run(folder: Path) -> StoredRun:
    """Read and validate a run; damaged trials are listed, not fatal. UsageError without a usable run.json."""
    source = folder / "run.json"
    try:
        content = json.loads(source.read_bytes())
        version = content.get("schema_version") if isinstance(content, dict) else None
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise UsageError(f"{source}: schema_version {version} is newer than this bench reads ({SCHEMA_VERSION})")
        run = RunRecord.model_validate(content)
    except OSError as error:
        raise UsageError(_no_run(folder, f"{source}: {error.strerror}")) from None
    except ValidationError as error:
        raise UsageError(f"{source}: {first_fault(error)}; not a run that bench wrote") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{source}: not JSON ({error}); not a run that bench wrote") from None
    records, damage = _read_trials(folder / "trials.jsonl")
    return StoredRun(folder, run, records, damage)


def runs_below(folder: Path) -> list[Path]:
    """The runs in a folder such as results/ or one above it, the newest first; a run's name begins with its time."""
    found = (source for depth in ("*", "*/*") for source in folder.glob(f"{depth}/run.json") if source.is_file())
    return sorted((source.parent for source in found), key=lambda run: run.name, reverse=True)


def _no_run(folder: Path, fault: str) -> str:
    """What to say of a folder that is no run: which run was meant, as far as that can be told."""
    if inside := runs_below(folder):
        return f"{folder}: holds runs but is none; give one of them, the newest is {inside[0]}"
    near = did_you_mean(folder.name, (source.parent.name for source in folder.parent.glob("*/run.json")))
    others = "; give a run folder, as `bench run` makes below results/; `bench list` shows which there are"
    return f"{fault}{near or others}"


def _read_trials(path: Path) -> tuple[list[TrialRecord], list[str]]:
    """Every readable trial, the last word on each id, and a line for each unreadable one."""
    records: dict[str, TrialRecord] = {}
    damage = []
    try:
        with path.open("rb", buffering=2**20) as stream:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                try:
                    record = TrialRecord.model_validate_json(line)
                    records[record.trial.trial_id] = record
                except ValidationError as error:
                    torn = "line" if line.endswith(b"\n") else "torn last line"
                    damage.append(f"{path}: {torn} {number} ignored: {_fault(error)}")
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; make it readable") from None
    return list(records.values()), damage


def _fault(error: ValidationError) -> str:
    """What is wrong with a line; where it is no JSON, the place in it helps nobody."""
    return "not JSON" if error.errors(include_input=False)[0]["type"] == "json_invalid" else first_fault(error)
