"""A stored run as one moment of a history: when, of which code on which machine, and one figure for each cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from bench.errors import UsageError, first_fault
from bench.guard.stored.baseline import cell_figures
from bench.guard.stored.machines import machine_words, text_of
from bench.measure.identity import known_unit
from bench.measure.statistics import Interval
from bench.report.cells import summarise
from bench.report.rows import rows_of
from bench.report.text import printable
from bench.store.baselines import CellFigures
from bench.store.runs import StoredRun, read_run

NOT_TOLD = "not recorded"
"""The word for a fact that a run does not tell."""

_YEARS = range(2000, 2100)
"""One run whose clock was wrong would leave no room for the others."""


@dataclass(frozen=True)
class PastCell:
    """What a run found of a cell; the interval is of its throughput."""

    figures: CellFigures
    interval: Interval | None


@dataclass(frozen=True)
class PastRun:
    """A run without its windows. `unit` is None where the exact unit was not recorded; words are `not recorded`."""

    folder: Path
    began: datetime
    suite: str
    unit: str | None
    kind: str
    host: str
    machine: str
    commit: str
    tensorflow: str
    code: str
    data: str
    cells: dict[str, PastCell]

    @property
    def name(self) -> str:
        """Its folder's name."""
        return printable(self.folder.resolve().name)


def run_folders(places: Sequence[Path]) -> list[Path]:
    """The run folders that are named, or that lie in a folder that is; each once. UsageError where there are none."""
    found: dict[Path, Path] = {}
    for place in places:
        inside = [place] if (place / "run.json").exists() else sorted(path.parent for path in place.glob("*/run.json"))
        if not inside:
            raise UsageError(f"{place}: holds no run; give run folders, or a folder that they lie in such as results")
        for folder in inside:
            found.setdefault(folder.resolve(), folder)
    return list(found.values())


def read_past(folder: Path) -> tuple[PastRun, list[str]]:
    """A run and a line for each damage; UsageError for one that has no place in a history."""
    stored = read_run(folder)
    try:
        return _past(stored), stored.damage
    except ValidationError as error:
        raise UsageError(f"{folder / 'run.json'}: {first_fault(error)}; not a run that bench wrote") from None


def _past(stored: StoredRun) -> PastRun:
    run, environment = stored.run, stored.run.environment
    kind, packages = environment.get("machine_class"), environment.get("packages")
    versions = packages if isinstance(packages, dict) else {}
    named = (text_of(versions, name) for name in ("tensorflow", "tensorflow-cpu"))
    summaries = summarise(rows_of(run, stored.records))
    return PastRun(
        folder=stored.folder,
        began=_moment(stored),
        suite=printable(run.suite),
        unit=known_unit(environment),
        kind=(text_of(kind, "id") if isinstance(kind, dict) else None) or NOT_TOLD,
        host=text_of(environment, "host") or NOT_TOLD,
        machine=machine_words(environment),
        commit=(text_of(environment, "git_commit") or NOT_TOLD)[:12],
        tensorflow=next(filter(None, named), NOT_TOLD),
        code=(text_of(environment, "code_sha256") or NOT_TOLD)[:12],
        data=printable(run.data_sha256)[:12],
        cells={cell.cell.cell_id: PastCell(cell_figures(cell), cell.interval) for cell in summaries},
    )


def _moment(stored: StoredRun) -> datetime:
    """When it began, in UTC; a time without a zone is taken for UTC."""
    told, source = stored.run.created_utc, stored.folder / "run.json"
    try:
        moment = datetime.fromisoformat(told)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{source}: created_utc {told[:60]!r} is no time; not a run that bench wrote") from None
    if moment.year not in _YEARS:
        raise UsageError(f"{source}: created_utc {told[:60]!r} is not of this century; set that machine's clock")
    return moment
