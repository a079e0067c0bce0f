"""`bench compare` from run folders to what is printed and written, and its exit codes."""

import csv
import html
import re
import subprocess
import sys

import pytest
from junitparser import Failure, Skipped
from junitparser.xunit2 import JUnitXml

from bench.commands.compare import Judging, compare_runs
from bench.errors import UsageError
from bench.guard.stored.compare import compare, read_compared
from bench.guard.stored.comparison_plot import plot_comparison
from bench.guard.stored.judge import Margins
from tests.bench.guard.stored.conftest import machine, trials
from tests.bench.report.conftest import EFFECTIVE, record

HOSTILE = "=cmd|' /C calc'!A0 | [bold]*x*[/bold] <script>alert(1)</script> \x1b[31m"
JUDGING = Judging(Margins(), other_code=False, inconclusive="fail")


@pytest.fixture
def table(capsys):
    """Compares, and returns the exit code, what was printed, the Markdown and the lines of the CSV."""

    def run(*folders, prices=(), judging=None):
        code = compare_runs(list(folders), list(prices), None, judging)
        out = folders[-1] / "report" / "comparison"
        name = "verdict" if judging else "comparison"
        text = (out / f"{name}.md").read_text() if (out / f"{name}.md").exists() else ""
        lines = list(csv.DictReader((out / f"{name}.csv").open())) if text else []
        return code, " ".join(capsys.readouterr().out.split()), text, lines

    return run


def test_two_machines_side_by_side(stored, table):
    """Ratios, what differs on top, what is in one only; described, never judged."""
    gpu = machine(host="big", gpus=["H100"], exact_unit="f" * 16)
    one = stored("one", [*trials(1000, peak_host_memory_bytes=2**30), *trials(800, cell={"global_batch": 64})])
    other = stored(
        "other", [*trials(4000, peak_host_memory_bytes=2**31), *trials(9, cell={"xla": True})], environment=gpu
    )
    code, printed, text, lines = table(one, other)
    assert code == 0
    for told in (printed, text):
        assert "this describes, and judges nothing" in told
        assert "GPUs: A none; B 1 × H100" in told
        assert "1,024 → 2,048" in told
        assert "Only in A: global" in told.replace("\\", "")
        assert "Only in B: xla" in told
        assert not re.search("regress|improv|unchanged", told)
    assert printed.index("What differs") < printed.index("B beside A")
    assert text.index("What differs") < text.index("## B beside A")
    assert [line["in"] for line in lines] == ["both", "reference", "other"]
    assert float(lines[0]["throughput_ratio"]) == pytest.approx(4)
    assert float(lines[0]["throughput_ratio_low"]) < 4 < float(lines[0]["throughput_ratio_high"])
    assert float(lines[0]["host_memory_ratio"]) == 2
    assert lines[1]["throughput_ratio"] == lines[0]["images_per_j_ratio"] == ""
    assert (other / "report" / "comparison" / "ratios.png").read_bytes().startswith(b"\x89PNG")


def test_prices_give_images_for_the_money(stored, table):
    """1,000 images/s at 1 an hour against 4,000 at 8: 3.6 against 1.8 million for 1; 40 s to the target cost 1/90."""
    learned = {"accuracies": [0.9, 0.995]}
    one, other = stored("one", trials(1000, **learned)), stored("other", trials(4000, **learned))
    code, printed, text, (line,) = table(one, other, prices=["A=1/h", "B=8/h"])
    assert code == 0
    assert "3,600 → 1,800" in printed
    assert "3,600 → 1,800 (×0.500)" in text
    assert float(line["reference_images_for_one"]) == pytest.approx(3_600_000)
    assert float(line["reference_cost_to_accuracy"]) == pytest.approx(40 / 3600)
    assert float(line["other_cost_to_accuracy"]) == pytest.approx(8 * 40 / 3600)


def test_several_runs_are_each_held_to_the_first(stored, table):
    """A section and a line of the CSV for each."""
    machines = [machine(), machine(cpu_model="Xeon"), machine()]
    speeds = zip("abc", (1000, 2000, 500), machines, strict=True)
    folders = [stored(name, trials(speed), environment=environment) for name, speed, environment in speeds]
    _, printed, text, lines = table(*folders)
    assert [round(float(line["throughput_ratio"]), 6) for line in lines] == [2, 0.5]
    for told in (printed, text):
        assert "B beside A" in told
        assert "C beside A" in told
        assert "cpu model: A, C AMD EPYC; B Xeon" in told


def test_nothing_in_common_is_not_comparable(stored, table):
    """Exit code 4, and the cells of either are named."""
    code, printed, text, _ = table(stored("a", trials(1000)), stored("b", trials(1000, cell={"xla": True})))
    assert code == 4
    assert "no cell in common" in printed
    assert "Only in B: xla" in text


def test_hostile_words_do_no_harm(stored, table):
    """Neither to the terminal nor to Markdown nor to a spreadsheet."""
    environment = machine(host=HOSTILE, cpu_model=HOSTILE)
    one, other = stored("one", trials(1000)), stored("=1+1|[red]", trials(1000), environment=environment)
    _, printed, text, (line,) = table(one, other)
    assert "\x1b" not in printed + text
    assert "[bold]*x*[/bold]" in printed
    assert "<script>" not in text
    assert "\\[bold\\]" in text
    assert line["other"] == "'=1+1|[red]"


def test_one_run_is_not_enough(stored):
    """One line that says what A is."""
    with pytest.raises(UsageError, match="takes two runs or more; the first is"):
        compare_runs([stored("one", trials(1))], [], None, None)


def test_the_picture_names_the_finding_and_every_cell(stored, tmp_path):
    """Cells are sorted by their ratio, the lowest below; functional ones are no speed."""
    speeds = {"fit": 3.0, "fused": 0.5, "step": 1.5}
    one = [trial for engine in speeds for trial in trials(1000, cell={"engine": engine})]
    other = [trial for engine, speed in speeds.items() for trial in trials(1000 * speed, cell={"engine": engine})]
    mirrored = {"strategy": "mirrored", "replicas": 2}
    shared = EFFECTIVE.model_copy(update={"cpus": []})
    one, other = (side + trials(1000, cell=mirrored, effective=shared) for side in (one, other))
    comparison = compare(*read_compared([stored("one", one), stored("other", other)]))
    drawn = plot_comparison(tmp_path / "plot", [comparison])
    texts = re.findall(r"<!-- (.*?) -->", html.unescape(drawn.stem.with_suffix(".svg").read_text()))
    assert texts.index("engine=fused") < texts.index("default") < texts.index("engine=fit")
    assert any("B trains 1.31" in text and "0.500 to 3.00 in 3 cells" in text for text in texts)
    assert not any("mirrored" in text for text in texts)


def test_no_picture_without_a_speed(stored, tmp_path):
    """Nothing is drawn, and a picture of before is gone."""
    failed = [record(status="oom")]
    folders = [stored("one", trials(1000)), stored("other", failed)]
    assert plot_comparison(tmp_path / "plot", [compare(*read_compared(folders))]) is None
    stale = folders[1] / "report" / "comparison" / "ratios.png"
    stale.parent.mkdir(parents=True)
    stale.touch()
    assert compare_runs(folders, [], None, None) == 4
    assert not stale.exists()


def test_forty_cells_and_three_runs_are_drawn(stored, tmp_path):
    """Both ends are kept, and the picture says that there are more."""
    folders = [
        stored(name, [t for n in range(40) for t in trials(speed + n, cell={"global_batch": 64 + n})])
        for name, speed in (("a", 1000), ("b", 1100), ("c", 1200))
    ]
    runs = read_compared(folders)
    drawn = plot_comparison(tmp_path / "plot", [compare(runs[0], other) for other in runs[1:]])
    texts = re.findall(r"<!-- (.*?) -->", html.unescape(drawn.stem.with_suffix(".svg").read_text()))
    whole = " ".join(texts)
    assert "Drawn are the 24 cells" in whole
    assert "16 more are in comparison.csv" in whole
    assert "C ÷ A" in texts


@pytest.mark.parametrize(
    ("speed", "code", "verdict"), [(800, 1, "regressed"), (1001, 0, "unchanged"), (975, 3, "inconclusive")]
)
def test_last_run_is_judged_by_the_five_before_it(stored, five, table, speed, code, verdict):
    """With its exit code, in print, Markdown, CSV and JUnit's XML."""
    run = stored("judged", trials(speed, many=64))
    found, printed, text, (line,) = table(*five(), run, judging=JUDGING)
    assert found == code
    assert f"judged: 1 {verdict}" in printed
    assert f"judged: 1 {verdict}" in text
    assert line["verdict"] == verdict
    assert float(line["change"]) == pytest.approx(speed / 1000 - 1, abs=1e-3)
    (case,) = cases_of(run)
    outcomes = {"regressed": [Failure], "unchanged": [], "inconclusive": [Skipped]}
    assert [type(one) for one in case.result] == outcomes[verdict]


def cases_of(run):
    """The test cases that CI reads beside a run's report."""
    (suite,) = JUnitXml.fromfile(str(run / "report" / "comparison" / "junit.xml"))
    return list(suite)


def test_four_runs_or_other_machines_are_no_ground(stored, table):
    """Exit code 4, and why, in print and in Markdown."""
    other = machine(exact_unit="f" * 16)
    folders = [stored(f"{number}", trials(1000 + number)) for number in range(4)]
    elsewhere = stored("elsewhere", trials(1001), environment=other)
    code, printed, text, lines = table(*folders, elsewhere, stored("judged", trials(500)), judging=JUDGING)
    assert code == 4
    for told in (printed, text):
        assert "not comparable: a verdict takes 5 baseline runs, there are 4" in told
        assert "1 of 5 baseline runs are not of this exact unit" in told
    assert lines == []


def test_an_earlier_verdict_does_not_pass_for_one_that_there_is_no_ground_for(stored, five, table):
    """Files of a regression are written anew: CI reads a skipped case, people why, spreadsheets nothing."""
    folders, run = five(), stored("judged", trials(800, many=64))
    assert table(*folders, run, judging=JUDGING)[0] == 1
    code, _, text, lines = table(*folders[:4], run, judging=JUDGING)
    assert code == 4
    assert "regressed" not in text
    assert lines == []
    (case,) = cases_of(run)
    assert [type(one) for one in case.result] == [Skipped]
    assert "there are 4" in case.result[0].message


def test_a_machine_that_is_not_known_is_no_ground(stored, table):
    """Exit code 4 with one line on what is missing."""
    folders = [stored(f"{n}", trials(1000), environment=machine(exact_unit=None)) for n in range(6)]
    code, printed, _, _ = table(*folders, judging=JUDGING)
    assert code == 4
    assert "no exact unit is recorded" in printed


def test_a_baseline_run_of_a_machine_that_is_not_known_is_left_out(stored, five, table):
    """The verdict is by the five others, and which run was left out is told."""
    nobody = stored("nobody", trials(1), environment=machine(exact_unit=None))
    code, printed, text, _ = table(nobody, *five(), stored("judged", trials(1001, many=64)), judging=JUDGING)
    assert code == 0
    assert "judged: 1 unchanged" in printed
    assert "no exact unit is recorded" in printed
    assert "nobody: no exact unit is recorded" in text


def test_prices_and_verdicts_do_not_go_together(stored):
    """One describes, the other judges."""
    folders = [stored(name, trials(1000)) for name in "ab"]
    with pytest.raises(UsageError, match="--price describes and --verdict judges"):
        compare_runs(folders, ["A=1/h"], None, JUDGING)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a"], "compare takes two runs or more"),
        (["a", "b", "--margin", "nan"], "--margin nan: give percent"),
        (["a", "b", "--accuracy-margin", "0"], "--accuracy-margin 0: give percent"),
        (["a", "b"], "give a run folder"),
        (["a", "b", "--inconclusive", "maybe"], "maybe"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(tmp_path, words, told):
    """No traceback."""
    command = [sys.executable, "-m", "bench.cli", "compare", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
