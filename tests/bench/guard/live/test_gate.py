"""The gate: what fails twice fails, and what CI reads of it."""

import json
from collections.abc import Sequence
from xml.etree import ElementTree as Xml

import pytest

from bench.guard.live.gate import Checked, check, exit_code_of
from bench.guard.live.outputs import annotations, as_json, as_junit, as_markdown, told_of
from bench.guard.live.result import Result, result_of
from bench.store.pairs import PairRecord
from tests.bench.guard.live.pairs import comparison_of, pair_of, side_record

SLOW, SAME = [pair_of(-0.06)] * 4, [pair_of()] * 4
STALLED = [pair_of(a=side_record(*[0.1] * 60), b=side_record(*[*[0.1] * 9, 0.2] * 6))] * 4
UNCLEAR = [pair_of(one) for one in (0.05, -0.05, 0.05, -0.05)]
BROKEN = [pair_of(b=side_record(status="error", reason="no module"))]
DISTURBED = [pair_of(others_s=9.0)] * 4


def checked(*rounds: Sequence[PairRecord], cell: str = "default") -> list[Checked]:
    """What the gate says of one cell whose measurements are given in order."""
    left = [result_of(comparison_of(), list(pairs)) for pairs in rounds]

    def measure(asked: str) -> Result:
        assert asked == cell
        return left.pop(0)

    found = check([cell], measure)
    assert not left, "no more was measured than needed"
    return found


@pytest.mark.parametrize(
    ("rounds", "verdict", "code"),
    [
        ([SAME], "unchanged", 0),
        ([SLOW, SLOW], "regressed", 1),
        ([SLOW, SAME], "unchanged", 0),
        ([SLOW, UNCLEAR], "inconclusive", 3),
        ([SLOW, BROKEN], "inconclusive", 3),
        ([SLOW, [*SLOW[:2], *[pair_of(-0.06, others_s=9.0)] * 4]], "invalid", 3),
        ([UNCLEAR], "inconclusive", 3),
        ([DISTURBED], "invalid", 3),
        ([[pair_of(0.06)] * 4], "improved", 0),
    ],
)
def test_only_what_fails_twice_fails(rounds: list[list[PairRecord]], verdict: str, code: int):
    """A flagged cell is measured again on fresh processes, and counts as the second time has it."""
    (one,) = found = checked(*rounds)
    assert one.verdict == verdict
    assert exit_code_of(found, "fail") == code
    assert exit_code_of(found, "pass") == (0 if code == 3 else code)


def test_another_metric_the_second_time_is_no_confirmation():
    """Throughput flagged first and memory then: nothing was found twice."""
    larger = [pair_of(b=side_record(peak_host_memory_bytes=2**30))] * 4
    (one,) = checked(SLOW, larger)
    assert one.regressed == []
    assert one.verdict == "inconclusive"


@pytest.mark.parametrize(("rounds", "named"), [([STALLED, SLOW], "throughput"), ([SLOW, STALLED], "mean throughput")])
def test_slower_by_the_mean_confirms_slower_by_the_centre(rounds: list[list[PairRecord]], named: str):
    """Either proves a slow-down, and a comparison ends with the first to do so; the second time names it, once."""
    (one,) = checked(*rounds)
    assert (one.verdict, exit_code_of([one], "fail")) == ("regressed", 1)
    assert named in one.regressed
    (told,) = annotations([one])
    assert told.count(f"{named} ×") == 1
    assert f"{named} × 0.9" in told


def test_the_metric_that_keeps_a_verdict_open_is_told():
    """Where memory alone is unclear its interval stands beside a clear throughput's; a first step is not waited for."""
    grown = [
        pair_of(b=side_record(peak_host_memory_bytes=mib * 2**20, first_step_s=2.0 * mib / 600)) for mib in (500, 700)
    ]
    (told,) = (told_of(one) for one in checked(grown * 8))
    assert told.startswith("default: inconclusive: throughput × 1.000 (")
    assert "host memory × " in told
    assert "first step" not in told


def test_disturbed_pairs_are_told_of_how_many():
    """Nothing judged: so many of so many pairs."""
    (one,) = checked([*SLOW[:2], *DISTURBED])
    assert "4 of 6 pairs were disturbed" in told_of(one)


def test_a_side_that_fails_twice_fails_the_job():
    """A side that does not run is an error once confirmed; one that ran the second time is not."""
    assert exit_code_of(checked(BROKEN, BROKEN), "pass") == 1
    assert exit_code_of(checked(BROKEN, SAME), "fail") == 0


def test_a_base_that_does_not_run_is_nothing_to_compare_with():
    """Twice the base's failure is not the head's fault; beside a cell that is fine it is not clear, and not silent."""
    base = [pair_of(a=side_record(status="error", reason="no module"), b=side_record(status="skipped"))]
    found = checked(base, base)
    assert exit_code_of(found, "pass") == 4
    assert told_of(found[0]) == (
        "default: NOT TESTED: the base (A) does not run, so nothing is known of the head: A ended in error: no module"
    )
    both = [*found, *checked(SAME)]
    assert exit_code_of(both, "fail") == 3
    assert exit_code_of(both, "pass") == 0
    assert as_markdown(both, 0).startswith("# Guard: passed; 1 of 2 cells NOT TESTED\n")
    assert exit_code_of(checked(base, SAME), "fail") == 0


def test_what_an_interrupt_leaves_fails_nothing():
    """A regression that was not measured again is no failure, a cell that was not measured at all is no pass."""
    once = [Checked("default", result_of(comparison_of(), SLOW))]
    suite = Xml.fromstring(as_junit(once, ["xla=true"])).find("testsuite")
    assert suite is not None
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "2", "failures": "0", "errors": "0", "skipped": "2"}
    (line,) = annotations(once)
    assert line.startswith("::warning ")
    assert line.endswith("; interrupted before it was measured again")
    text = as_markdown(once, 130, ["xla=true"])
    assert text.startswith("# Guard: interrupted; 1 of 2 cells NOT TESTED\n")
    assert "- xla=true: interrupted before it was measured\n" in text


def test_json_holds_every_figure():
    """Both rounds of a flagged cell, with the ratio, its bounds, the margin and the verdict of each metric."""
    told = json.loads(as_json(checked(SLOW, SLOW), 1))
    (cell,) = told["cells"]
    (throughput, *_) = cell["again"]["metrics"]
    assert told["exit_code"] == 1
    assert throughput["ratio"][0] == pytest.approx(0.94176, abs=1e-4)
    assert throughput["ratio"][1] < throughput["ratio"][0] < throughput["ratio"][2] < 0.98
    assert (throughput["metric"], throughput["verdict"], throughput["margin"]) == ("throughput", "regressed", 0.02)


@pytest.mark.parametrize(
    ("rounds", "counts"),
    [
        ([SAME], {"tests": "4", "failures": "0", "errors": "0", "skipped": "0"}),
        ([SLOW, SLOW], {"tests": "4", "failures": "2", "errors": "0", "skipped": "0"}),
        ([BROKEN, BROKEN], {"tests": "1", "failures": "0", "errors": "1", "skipped": "0"}),
        ([DISTURBED], {"tests": "1", "failures": "0", "errors": "0", "skipped": "1"}),
        ([UNCLEAR], {"tests": "4", "failures": "0", "errors": "0", "skipped": "1"}),
    ],
)
def test_junit_counts_what_ci_shows(rounds: list[list[PairRecord]], counts: dict[str, str]):
    """A case for each metric; a regression fails, what did not run is an error, what keeps it unclear is skipped."""
    suite = Xml.fromstring(as_junit(checked(*rounds))).find("testsuite")
    assert suite is not None
    assert {name: suite.get(name) for name in counts} == counts
    assert len(suite.findall("testcase/failure")) == int(counts["failures"])


def test_hostile_words_break_no_output():
    """A cell with markup, control characters and workflow commands in its name stays words in every output."""
    cell = "a=<b>&\"'\x1b[2J\r\n::error::x|%0A`"
    found = checked(SLOW, SLOW, cell=cell)
    suite = Xml.fromstring(as_junit(found)).find("testsuite")
    assert suite is not None
    (line,) = annotations(found)
    assert line.startswith("::error title=bench guard::")
    assert line.isprintable()
    assert "\x1b" not in as_markdown(found, 1)
    assert "<b>" not in as_markdown(found, 1)
    assert json.loads(as_json(found, 1))["cells"][0]["cell"] == cell


def test_only_what_needs_attention_is_annotated():
    """Nothing for what is unchanged, a warning for what is not clear, an error for a regression."""
    assert annotations(checked(SAME)) == []
    assert annotations(checked(UNCLEAR))[0].startswith("::warning ")
    assert annotations(checked(SLOW, SLOW))[0].startswith("::error ")


def test_markdown_says_what_was_flagged_once():
    """A cell that did not fail again says so in its line, and its table is of the second time."""
    found = checked(SLOW, SAME)
    assert told_of(found[0]).endswith("; first time regressed, second time unchanged")
    text = as_markdown(found, 0)
    assert text.startswith("# Guard: passed")
    assert "| throughput | 1,000 images/s | 1,000 images/s | 1.000" in text
