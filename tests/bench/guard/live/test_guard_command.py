"""`bench guard` and `bench ab` from the request to what is left of them, over workers that are made up."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from bench.commands.ab import Request as AbRequest
from bench.commands.ab import compare_sides
from bench.commands.guard import Request, guard_against
from bench.errors import UsageError
from bench.execute.launchers import Launcher
from bench.guard.live.comparison import Rules
from bench.measure.workload import tree_sha256, workload_folder
from bench.protocol.answers import Workload
from bench.store.pairs import read_comparison
from bench.trial import Trial
from tests.bench.execute.conftest import Clock, FakeWorker

INTERRUPTED_BATCH = 64


@pytest.fixture(autouse=True)
def workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every worker is made up and trains this tree; one of a batch of 64 hears Ctrl-C as it begins to train."""
    own = Workload(folder="here", sha256=tree_sha256(workload_folder()))

    def launch(launcher: Launcher, trial: Trial, log: Path) -> FakeWorker:
        faults = {1: KeyboardInterrupt()} if trial.cell.global_batch == INTERRUPTED_BATCH else {}
        worker = FakeWorker(Clock(), faults=faults)
        worker.workload = own
        return worker

    monkeypatch.setattr(Launcher, "__call__", launch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # noise of workers that have none is nobody's
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.fixture
def guard(tmp_path: Path) -> Callable[..., tuple[int, Path]]:
    """Guards cells against this very tree; returns the exit code and the folder that it wrote."""

    def run(*cells: str, base: str = str(workload_folder().parent)) -> tuple[int, Path]:
        request = Request(
            base=[base],
            head="default",
            cells=[*cells],
            settings=[],
            rules=Rules(margin=0.02, pair_s=0.001),
            out=tmp_path / "out",
            inconclusive="pass",
            allow_busy=False,
        )
        code = guard_against(request)
        (folder,) = (tmp_path / "out").iterdir()
        return code, folder

    return run


def test_a_cell_is_asked_for_by_the_name_that_it_is_shown_by(guard: Callable[..., tuple[int, Path]]):
    """`--cell default` is the cell without settings, which every output calls so."""
    code, folder = guard("default", "default,global_batch=32")
    facts: dict[str, Any] = json.loads((folder / "guard.json").read_text())
    assert code == facts["exit_code"] == 0
    assert [cell["cell"] for cell in facts["cells"]] == ["default", "default,global_batch=32"]
    batches = {
        read_comparison(one.parent).comparison.b.trial.cell.global_batch for one in sorted(folder.glob("*/ab.json"))
    }
    assert batches == {200, 32}


def test_an_interrupt_publishes_the_cells_that_are_done(
    guard: Callable[..., tuple[int, Path]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    """Exit code 130, and what CI reads has the finished cell, names the other, and says that it was interrupted."""
    step = tmp_path / "step.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    other = f"global_batch={INTERRUPTED_BATCH}"
    code, folder = guard("default", other)
    facts: dict[str, Any] = json.loads((folder / "guard.json").read_text())
    assert code == facts["exit_code"] == 130
    assert [cell["cell"] for cell in facts["cells"]] == ["default"]
    cases = Xml.fromstring((folder / "junit.xml").read_text()).findall("testsuite/testcase")
    assert {case.get("classname") for case in cases} == {"default", other}
    (skipped,) = [case.find("skipped") for case in cases if case.get("classname") == other]
    assert skipped is not None
    assert skipped.get("message") == "interrupted before it was measured"
    assert step.read_text() == (folder / "guard.md").read_text()
    assert step.read_text().startswith("# Guard: interrupted; 1 of 2 cells NOT TESTED\n")
    printed = capsys.readouterr()
    assert f"{other}: interrupted before it was measured\n" in printed.out
    assert f"Interrupted; what was measured is in {folder}\n" in printed.err


@pytest.mark.parametrize(
    ("base", "told"),
    [
        ("main^{/fix=x}", "a revision with = in it: git:REVISION"),
        ("main^{/one,two}", "with a comma in it: its commit"),
    ],
)
def test_a_revision_that_reads_as_settings_is_told_how_to_be_named(
    guard: Callable[..., tuple[int, Path]], base: str, told: str
):
    """What a side is cut into stands in some revisions too."""
    with pytest.raises(UsageError) as caught:
        guard(base=base)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("in_turn", "settings", "why"),
    [
        (True, [], "as was asked"),
        (
            False,
            ["strategy=parameter_server", "workers=2", "replicas=2"],
            "workers of parameter_server compute on while nobody asks",
        ),
        (False, [], None),
    ],
)
def test_sides_that_may_not_live_at_once_take_turns_as_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], in_turn: bool, settings: list[str], why: str | None
):
    """The reason is printed before the first pair, and every pair that is stored ran so."""
    compare_sides(
        AbRequest(
            a="default",
            b="default",
            settings=settings,
            rules=Rules(margin=0.02, pair_s=0.001, in_turn=in_turn),
            out=tmp_path / "out",
            inconclusive="pass",
            allow_busy=False,
        )
    )
    printed = capsys.readouterr().out
    assert printed.count("Whole processes take turns: ") == bool(why)
    assert (why or "") in printed
    (folder,) = (tmp_path / "out").iterdir()
    stored = read_comparison(folder)
    assert stored.pairs
    assert {pair.mode for pair in stored.pairs} == {"in turn" if why else "interleaved"}
