"""A stored comparison: a folder with ab.json, pairs.jsonl and logs/; raw values only, every verdict is derived."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from bench.errors import UsageError, first_fault
from bench.host import Conditions
from bench.store.model import StoredModel
from bench.store.record import SCHEMA_VERSION, TrialRecord
from bench.store.runs import append_line, create_folder, write_atomically
from bench.trial import Trial

Mode = Literal["interleaved", "in turn"]
Share = Annotated[float, Field(gt=0, lt=1)]


class SideRecord(StoredModel):
    """One side as it was asked for: its words, the trial, where its `mnist_cnn` came from, and what else differs."""

    words: str
    trial: Trial
    workload_origin: str
    workload_sha256: str
    python: str
    variables: dict[str, str] = Field(default_factory=dict)


class PairRecord(StoredModel):
    """Both sides of one pair of processes, and the counters of the machine before and after the pair.

    `first` is the side that began first; `parent_cpu_s` are this process's CPU seconds in between.
    """

    number: int
    mode: Mode
    first: Literal["a", "b"]
    a: TrialRecord
    b: TrialRecord
    conditions_before: Conditions
    conditions_after: Conditions
    parent_cpu_s: float


class AccuracyRecord(StoredModel):
    """Both sides of one seed, each trained for the same epochs."""

    seed: int
    a: TrialRecord
    b: TrialRecord


class PooledNoise(StoredModel):
    """The standard deviation of log(B ÷ A) over pairs of identical sides that ran in one way.

    `freedom` are the degrees of freedom that it rests on; 0 where it is of other cells, which only raises it.
    """

    sd: Annotated[float, Field(gt=0)]
    freedom: Annotated[float, Field(ge=0)]
    mode: Mode


class ComparisonRecord(StoredModel):
    """`ab.json`: what was compared, by which rule, on which machine.

    `noise` is what identical sides have shown on this very unit, None where nothing was recorded; `pair_s` are the
    seconds of windows in a pair.
    """

    schema_version: int = SCHEMA_VERSION
    created_utc: str
    a: SideRecord
    b: SideRecord
    margin: Share
    pair_s: Annotated[float, Field(gt=0)]
    noise: PooledNoise | None = None
    data: str | None
    data_sha256: str
    environment: dict[str, Any]

    @property
    def identical(self) -> bool:
        """Whether both sides are the same in all that was asked for: what then differs is noise."""
        named = {"words", "workload_origin"}
        return self.a.model_dump(exclude=named) == self.b.model_dump(exclude=named)


@dataclass(frozen=True)
class StoredComparison:
    """A comparison as read back; `damage` lists, a line each, what could not be read and was left out."""

    folder: Path
    comparison: ComparisonRecord
    pairs: list[PairRecord]
    accuracies: list[AccuracyRecord]
    damage: list[str] = field(default_factory=list)


class ComparisonWriter:
    """Appends to one comparison's folder; every pair is on the disk before the next one starts."""

    def __init__(self, folder: Path):
        self.folder = folder

    def pair(self, record: PairRecord) -> None:
        """Add one pair of processes."""
        append_line(self.folder / _PAIRS, record.model_dump_json())

    def accuracy(self, record: AccuracyRecord) -> None:
        """Add both accuracies of a seed."""
        append_line(self.folder / _ACCURACIES, record.model_dump_json())

    def log(self, name: str) -> Path:
        """The file for the stderr of one side's worker."""
        return self.folder / "logs" / f"{name}.log"


def create_comparison(parent: Path, comparison: ComparisonRecord) -> ComparisonWriter:
    """Create `<UTC time>-<host>-ab/` below `parent`; UsageError where that cannot be written."""
    text = comparison.model_dump_json(indent=1)
    return ComparisonWriter(create_folder(parent, "ab", lambda folder: write_atomically(folder / _HEAD, text)))


def read_comparison(folder: Path) -> StoredComparison:
    """Read and validate a comparison; damaged lines are listed, not fatal. UsageError without a usable ab.json."""
    source = folder / _HEAD
    try:
        comparison = ComparisonRecord.model_validate(json.loads(source.read_bytes()))
    except OSError as error:
        raise UsageError(f"{source}: {error.strerror}; give a folder that `bench ab` made") from None
    except ValidationError as error:
        raise UsageError(f"{source}: {first_fault(error)}; not a comparison that bench wrote") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{source}: not JSON ({error}); not a comparison that bench wrote") from None
    damage: list[str] = []
    pairs = _lines(folder / _PAIRS, PairRecord, damage)
    accuracies = _lines(folder / _ACCURACIES, AccuracyRecord, damage)
    return StoredComparison(folder, comparison, pairs, accuracies, damage)


_HEAD, _PAIRS, _ACCURACIES = "ab.json", "pairs.jsonl", "accuracies.jsonl"
R = TypeVar("R", bound=StoredModel)


def _lines(path: Path, kind: type[R], damage: list[str]) -> list[R]:
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            found.append(kind.model_validate_json(line))
        except ValidationError as error:
            damage.append(f"{path}: line {number} ignored: {first_fault(error)}")
    return found
