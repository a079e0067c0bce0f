"""Files of a run in which every field in turn holds what no bench wrote: told of or shown, never run, never a crash."""

import copy
import io
import json
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.commands.report import report_run
from bench.errors import UsageError
from bench.report import writer
from bench.store.runs import read_run
from bench.trial import Trial

STORED = Path(__file__).parents[3] / "results" / "reference" / "20261125T111605Z-vm-quick"
SCRIPT = "</script><script>window.pwned=1</script>"
NASTY = [
    *(SCRIPT, "a\x00\x1b[31m\u202e\ud800", "=1+1", "x" * 20_000),
    *(-1, 0, 1e308, 5e-324, 2**63 - 1, 10**400, True, None, [], {}, float("nan"), float("inf")),
]
Path_ = tuple[str | int, ...]


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Every place in nested values; of a list only the first and the last."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*path, name))
    if isinstance(value, list):
        for place in sorted({0, len(value) - 1} & set(range(len(value)))):
            yield from places(value[place], (*path, place))


def with_put(whole: Any, path: Path_, nasty: Any) -> Any:
    """A copy with something else in one place."""
    changed = inner = copy.deepcopy(whole)
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = nasty
    return changed


@pytest.fixture
def trials() -> list[dict[str, Any]]:
    """One that ended ok, with few windows, and one that did not."""
    lines = [json.loads(line) for line in (STORED / "trials.jsonl").read_text().splitlines()]
    ok, other = (next(line for line in lines if (line["status"] == "ok") == well) for well in (True, False))
    return [ok | {"windows": {name: column[:40] for name, column in ok["windows"].items()}}, other]


@pytest.fixture
def report(tmp_path: Path) -> Any:
    """Writes the files of a run, reads and reports it; returns what was read and the page."""

    def run(record: Any, lines: list[str]) -> Any:
        (tmp_path / "run.json").write_text(json.dumps(record))
        (tmp_path / "trials.jsonl").write_text("\n".join(lines) + "\n")
        stored = read_run(tmp_path)
        report_run(Console(file=io.StringIO(), width=110), stored)
        return stored, (tmp_path / "report" / writer.PAGE).read_text()

    return run


@pytest.mark.filterwarnings("error")
def test_every_field_of_a_trial(trials: list[dict[str, Any]], report: Any) -> None:
    """A line that cannot be believed is told of by its number, any other is a row, and no word of one is a script."""
    lines = []
    for trial in trials:
        for path in places(trial):
            for nasty in NASTY:
                changed = with_put(trial, path, nasty)
                if path[0] != "trial":
                    changed["trial"] |= {"seed": len(lines) % 50, "repeat": len(lines) // 50}
                lines.append(json.dumps(changed))
    stored, page = report(json.loads((STORED / "run.json").read_text()), lines)
    told = {int(line.split(" ignored: ")[0].rpartition(" ")[2]) for line in stored.damage}
    trusted = [json.loads(line)["trial"] for number, line in enumerate(lines, 1) if number not in told]
    assert {record.trial.trial_id for record in stored.records} == {Trial(**one).trial_id for one in trusted}
    assert len(stored.records) > 300
    assert SCRIPT not in page


def test_every_field_of_a_run(trials: list[dict[str, Any]], report: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused in one line, or reported; its words are no script."""
    monkeypatch.setattr(writer, "drawing", lambda *_: nullcontext(list))  # pictures take nothing from it
    record, lines = json.loads((STORED / "run.json").read_text()), [json.dumps(trial) for trial in trials]
    read = 0
    for path in places(record):
        if path[0] == "trials" and path[1:2] != (0,):
            continue
        for nasty in (SCRIPT, 1e308, {}, None):
            with suppress(UsageError):
                _, page = report(with_put(record, path, nasty), lines)
                assert SCRIPT not in page
                read += 1
    assert read > 100
