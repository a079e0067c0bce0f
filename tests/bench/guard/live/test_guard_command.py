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
from bench.guard.live.accuracy import final_accuracy
from bench.guard.live.comparison import Rules
from bench.measure.workload import tree_sha256, workload_folder
from bench.protocol.answers import Failed, Workload
from bench.store.pairs import read_comparison
from bench.trial import Trial
from tests.bench.execute.conftest import Clock, FakeWorker

INTERRUPTED_BATCH, TAKEN_BATCH = 64, 48
TAKEN = Failed(status="error", reason="Could not start gRPC server", port_taken=True)


@pytest.fixture(autouse=True)
def workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every worker is made up and trains this tree; one of a batch of 64 hears Ctrl-C as it begins to train.

    The port of one of a batch of 48 is always taken.
    """
    own = Workload(folder="here", sha256=tree_sha256(workload_folder()))

    def launch(launcher: Launcher, trial: Trial, log: Path) -> FakeWorker:
        faults: dict[int, Any] = {1: KeyboardInterrupt()} if trial.cell.global_batch == INTERRUPTED_BATCH else {}
        faults |= {1: TAKEN} if trial.cell.global_batch == TAKEN_BATCH else {}
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


def test_port_that_is_always_taken_is_a_failure_of_its_side(guard: Callable[..., tuple[int, Path]]):
    """After three starts of a pair, twice, one line says so; no traceback that CI would take for a regression.

    Which side begins, and fails, is drawn: a head that fails twice is a failure, a base leaves the cell untested.
    """
    code, folder = guard("global_batch=200", f"global_batch={TAKEN_BATCH}")
    facts: dict[str, Any] = json.loads((folder / "guard.json").read_text())
    assert facts["cells"][0]["verdict"] == "unchanged"
    stored = [read_comparison(one.parent) for one in sorted(folder.glob("*/ab.json"))]
    pairs = [one.pairs for one in stored if one.comparison.a.trial.cell.global_batch == TAKEN_BATCH]
    assert [len(of_one) for of_one in pairs] == [1, 1]
    reasons = [[side.reason for side in (pair.a, pair.b) if side.status == "error"] for (pair,) in pairs]
    assert reasons == [["Could not start gRPC server"]] * 2
    assert code == facts["exit_code"] == all(pair.b.status == "error" for (pair,) in pairs)


def test_accuracy_is_trained_from_five_seeds_and_from_others_the_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Both sides of each seed are stored; a head that learns less is measured again, with seeds of its own."""
    learned = iter([0.97, 0.9] * 10)
    monkeypatch.setattr(FakeWorker, "accuracy", property(lambda _: next(learned)), raising=False)
    request = Request(
        base=[str(workload_folder().parent)], head="default", cells=[], settings=[],
        rules=Rules(margin=0.02, pair_s=0.001, accuracy_epochs=1), out=tmp_path / "out", inconclusive="fail",
        allow_busy=False,
    )  # fmt: skip
    assert guard_against(request) == 1
    (folder,) = (tmp_path / "out").iterdir()
    stored = [read_comparison(one.parent).accuracies for one in sorted(folder.glob("*/ab.json"))]
    assert [[one.seed for one in found] for found in stored] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert {final_accuracy(one.a) for found in stored for one in found} == {0.97}
    assert {final_accuracy(one.b) for found in stored for one in found} == {0.9}
    facts: dict[str, Any] = json.loads((folder / "guard.json").read_text())
    assert facts["cells"][0]["verdict"] == "regressed"


def test_accuracy_of_what_learns_nothing_is_refused(tmp_path: Path):
    """One synthetic batch over and over teaches nothing that a test set could show."""
    request = AbRequest(
        a="default", b="default", settings=["input=synthetic"], out=tmp_path / "out", inconclusive="pass",
        rules=Rules(margin=0.02, pair_s=0.001, accuracy_epochs=1), allow_busy=False,
    )  # fmt: skip
    with pytest.raises(UsageError, match="--accuracy: input=synthetic"):
        compare_sides(request)


def test_identical_sides_record_what_later_comparisons_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The second time the first lines say that the noise of pairs was recorded here."""
    for _ in range(2):
        compare_sides(
            AbRequest(
                a="default",
                b="default",
                settings=[],
                out=tmp_path / "out",
                inconclusive="pass",
                rules=Rules(margin=0.02, pair_s=0.001),
                allow_busy=False,
            )
        )
    assert capsys.readouterr().out.count("as recorded here") == 1


def test_words_too_long_for_a_file_are_settings_all_the_same(guard: Callable[..., tuple[int, Path]]):
    """A base of more than 255 characters is read, and told as what it is."""
    with pytest.raises(UsageError, match="batch=64"):
        guard(base="batch=64," * 60)
