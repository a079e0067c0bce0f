"""`bench guard` by stored runs, from the request to its exit code and to what CI reads."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from junitparser import Failure, Skipped
from junitparser.xunit2 import JUnitXml

from bench.commands.guard import Request, guard_against
from bench.commands.schema import SCHEMAS
from bench.guard.defaults import PAIR_S
from bench.guard.live.comparison import Rules
from bench.guard.verdict import Inconclusive
from bench.trial import Status
from tests.bench.guard.stored.conftest import CODE, trials
from tests.bench.report.conftest import record

OLDER = "01d" * 8


@pytest.fixture(autouse=True)
def no_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs these tests may be one."""
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def guard(tmp_path: Path) -> Callable[..., int]:
    """Judges a run by others, all that it writes below `guard`; returns the exit code."""

    def judge(base: Sequence[Path], head: Path, inconclusive: Inconclusive = "fail") -> int:
        request = Request(
            base=[*map(str, base)],
            head=str(head),
            cells=[],
            settings=[],
            rules=Rules(margin=0.02, pair_s=PAIR_S),
            out=tmp_path / "guard",
            inconclusive=inconclusive,
            allow_busy=False,
        )
        return guard_against(request)

    return judge


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], str]:
    """What the gate wrote under a name, where the workflow to copy for GitLab looks for it."""

    def read(name: str) -> str:
        (path,) = tmp_path.glob(f"guard/*/{name}")
        return path.read_text(encoding="utf-8")

    return read


def cases_in(xml: str) -> list[Any]:
    (suite,) = JUnitXml.fromstring(xml.encode())
    return list(suite)


@pytest.mark.parametrize(("speed", "code", "outcome"), [(800, 1, "failed"), (1001, 0, "passed"), (975, 3, "not clear")])
def test_a_change_of_the_code_is_what_it_judges(
    five: Callable[..., list[Path]],
    stored: Callable[..., Path],
    guard: Callable[..., int],
    written: Callable[[str], str],
    capsys: pytest.CaptureFixture[str],
    speed: float,
    code: int,
    outcome: str,
):
    """Runs of older code are its baseline; that the benchmark's own may differ is told with both hashes."""
    assert guard(five(code_sha256=OLDER), stored("head", trials(speed, many=64))) == code
    text, printed = written("guard.md"), " ".join(capsys.readouterr().out.split())
    assert text.startswith(f"# Guard: {outcome}\n")
    for told in (text, printed):
        assert "5 of 5 baseline runs are of other benchmark code" in told
        assert f"({OLDER[:8]}; this run: {CODE[:8]})" in told
        assert "a change may come from the benchmark's own code as well as from mnist_cnn" in told


@pytest.mark.parametrize("ended", [None, "interrupted", "skipped"])
@pytest.mark.parametrize(("inconclusive", "code"), [("fail", 3), ("pass", 0)])
def test_a_cell_that_the_head_did_not_get_to_is_not_clear(
    stored: Callable[..., Path],
    guard: Callable[..., int],
    written: Callable[[str], str],
    ended: Status | None,
    inconclusive: Inconclusive,
    code: int,
):
    """A head that was stopped after one of two cells has not passed; the other is a skipped case that says why."""
    xla = {"xla": True}
    base = [
        stored(f"base-{number}", [*trials(1000 + number, many=64), *trials(500 + number, many=64, cell=xla)])
        for number in range(5)
    ]
    left = [record(xla, status=ended)] if ended else []
    assert guard(base, stored("head", [*trials(1001, many=64), *left]), inconclusive) == code
    first, second = cases_in(written("junit.xml"))
    assert (first.classname, first.result) == ("default", [])
    assert second.classname == "xla"
    assert [type(one) for one in second.result] == [Skipped]
    assert "the baseline measured it, and this run did not" in second.result[0].message


@pytest.mark.parametrize("ended", [None, "interrupted"])
@pytest.mark.parametrize("inconclusive", ["fail", "pass"])
def test_a_head_that_measured_nothing_of_the_baseline_is_not_comparable(
    five: Callable[..., list[Path]],
    stored: Callable[..., Path],
    guard: Callable[..., int],
    ended: Status | None,
    inconclusive: Inconclusive,
):
    """Whatever becomes of what is not clear: nothing was tested."""
    head = [record({}, status=ended)] if ended else trials(1000, many=64, cell={"xla": True})
    assert guard(five(), stored("head", head), inconclusive) == 4


def test_what_ci_reads_is_as_of_a_live_gate(
    five: Callable[..., list[Path]],
    stored: Callable[..., Path],
    guard: Callable[..., int],
    written: Callable[[str], str],
):
    """JSON that holds to its schema with every figure, and a failed test case; nothing stands in the run's folder."""
    head = stored("head", trials(800, many=64))
    assert guard(five(), head) == 1
    facts: dict[str, Any] = json.loads(written("guard.json"))
    jsonschema.Draft202012Validator(SCHEMAS["verdict"]()).validate(facts)
    (cell,) = facts["cells"]
    (figure,) = cell["figures"]
    assert (facts["exit_code"], cell["verdict"], figure["figure"]) == (1, "regressed", "images/s")
    assert figure["change"][0] == pytest.approx(-0.2, abs=1e-3)
    assert figure["change"][1] < figure["change"][0] < figure["change"][2] < -0.02
    (case,) = cases_in(written("junit.xml"))
    assert [type(one) for one in case.result] == [Failure]
    assert not (head / "report").exists()


def test_without_ground_every_file_says_why(
    five: Callable[..., list[Path]],
    stored: Callable[..., Path],
    guard: Callable[..., int],
    written: Callable[[str], str],
):
    """Four runs give no verdict: exit code 4, no cell in the JSON, a skipped test case."""
    assert guard(five()[:4], stored("head", trials(800, many=64))) == 4
    facts: dict[str, Any] = json.loads(written("guard.json"))
    jsonschema.Draft202012Validator(SCHEMAS["verdict"]()).validate(facts)
    assert facts["cells"] == []
    assert facts["not_comparable"] == "a verdict takes 5 baseline runs, there are 4"
    assert written("guard.md").startswith("# Guard: nothing comparable\n")
    (case,) = cases_in(written("junit.xml"))
    assert [type(one) for one in case.result] == [Skipped]


def test_a_workflow_is_told(
    five: Callable[..., list[Path]],
    stored: Callable[..., Path],
    guard: Callable[..., int],
    written: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    """The summary of its step goes on with that of the gate, and each cell that needs attention is annotated."""
    step = tmp_path / "step.md"
    step.write_text("# Before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    slow, same = trials(800, many=64), trials(1001, cell={"xla": True}, many=64)
    unknown = "it takes 5 baseline runs that measured it, there are 0"
    assert guard(five(), stored("head", [*slow, *same])) == 1
    assert step.read_text() == "# Before\n" + written("guard.md")
    error, warning = sorted(line for line in capsys.readouterr().out.splitlines() if line.startswith("::"))
    assert error.startswith("::error title=bench guard::default: images/s regressed: -20.0")
    assert warning == f"::warning title=bench guard::xla: images/s not comparable: {unknown}"


def test_an_unwritable_summary_changes_no_verdict(
    five: Callable[..., list[Path]],
    stored: Callable[..., Path],
    guard: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    """It is told on stderr, and outside of a workflow nothing is annotated."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    assert guard(five(), stored("head", trials(800, many=64))) == 1
    printed = capsys.readouterr()
    assert printed.err == f"GITHUB_STEP_SUMMARY {tmp_path}: Is a directory\n"
    assert "::error" not in printed.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], ""),
        (["--data", "x.npz", "--pair-time", "5", "--allow-busy"], "leave out --data, --pair-time, --allow-busy"),
        (["--cell", "engine=fit", "--set", "xla=true", "--accuracy", "1"], "leave out --cell, --set, --accuracy"),
        (["--base", "main"], "give every --base and --head as run folders"),
        (["--head", "default"], "give every --base and --head as run folders"),
    ],
)
def test_what_stored_runs_cannot_answer_is_refused(
    five: Callable[..., list[Path]], stored: Callable[..., Path], tmp_path: Path, words: list[str], told: str
):
    """As a user starts it: one line, exit code 2 and no folder; with nothing of the kind it passes."""
    bases = [word for folder in five() for word in ("--base", str(folder))]
    head = ["--head", str(stored("head", trials(1001, many=64)))]
    command = [sys.executable, "-m", "bench.cli", "guard", *bases, *head, "--out", str(tmp_path / "guard"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == (2 if told else 0), done.stderr
    assert told in done.stderr
    assert done.stderr.count("\n") == bool(told)
    assert (tmp_path / "guard").exists() == (not told)
