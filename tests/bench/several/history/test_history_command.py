"""`bench report --history` from run folders to what is printed and written."""

import csv
import html
import math
import re

import pytest

from bench.commands.history import report_history
from bench.errors import UsageError
from bench.several.history.machines import of_one_machine
from bench.several.history.past import read_past
from bench.several.history.picture import plot_figure
from bench.several.history.series import FIGURES
from bench.several.history.timeline import History
from tests.bench.guard.stored.conftest import UNIT, trials
from tests.bench.report.conftest import record
from tests.bench.report.page.test_run import Read

STEP = [1000] * 15 + [930] * 15
OLD = {"exact_unit": None, "host": "old"}
HOSTILE = "=cmd|' /C calc'!A0 | [bold]x[/bold] <script>alert(1)</script> \x1b[31m"


@pytest.fixture
def told(capsys, tmp_path):
    """Follows runs, and returns what was printed, on stderr, the lines of the CSV and the page."""

    def run(*places, machine=None):
        assert report_history(places or [tmp_path / "runs"], machine, tmp_path / "out") == 0
        printed = capsys.readouterr()
        lines = list(csv.DictReader((tmp_path / "out" / "history.csv").open()))
        page = Read((tmp_path / "out" / "history.html").read_text())
        return " ".join(printed.out.split()), printed.err, lines, page

    return run


def test_a_step_of_seven_percent_is_marked_as_advice(past, told):
    """Where it is, how large with an interval that holds it, in print, CSV and page; nothing is judged."""
    past(STEP)
    printed, errors, lines, page = told()
    found = re.search(
        r"default, images/s: level shift of about (-\d\.\d) % \((-\d+\.\d) to (-\d+\.\d)\) between run-014 and run-015;"
        " bench ab can tell",
        printed,
    )
    assert found
    size, low, high = map(float, found.groups())
    assert low < size < high
    assert low < -7 < high
    (marked,) = [line for line in lines if line["throughput_level_shift"]]
    assert marked["run"] == "run-015"
    assert float(marked["throughput_level_shift"]) == pytest.approx(size / 100, abs=6e-4)
    assert found[0] in page.text
    assert errors == ""
    assert "drift" not in printed
    assert not re.search("regress|improv|unchanged", printed + page.text)


def test_level_runs_have_none(past, told):
    """Neither noise of 1 % nor memory and accuracies that are the same to the last digit."""
    past([1000] * 30, seed=5, peak_host_memory_bytes=2**30)
    printed, _, lines, page = told()
    assert "No level shift is seen in 1 cell" in printed
    assert "No level shift is seen in 1 cell" in page.text
    assert not any(line[f"{name}_level_shift"] for line in lines for name in FIGURES)


def test_a_drift_is_told_as_one(past, told):
    """Runs that swing slowly have marks, and the advice says what they may be."""
    past([1000 + 50 * math.sin(number / 3) for number in range(40)])
    printed, _, _, page = told()
    assert "it may be a drift and no step" in printed
    assert "it may be a drift and no step" in page.text


def test_order_is_that_of_time(past, told):
    """Whatever the folders are called: time runs from the first of January on."""
    past(STEP, named=lambda number: f"run-{99 - number}")
    printed, _, lines, page = told()
    assert "between run-85 and run-84" in printed
    assert [line["run"] for line in lines] == [f"run-{99 - number}" for number in range(30)]
    assert [line[0] for line in page.listings["runs"]["lines"]] == [line["run"] for line in lines]


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"environment": lambda number: {"code_sha256": ("c0de" if number < 15 else "beef") * 16}}, "other benchmark"),
        ({"environment": lambda number: {"code_sha256": None if number < 15 else "beef" * 16}}, "not recorded by both"),
    ],
)
def test_other_code_is_a_break_and_no_level_shift(past, told, changed, what):
    """Each stretch is looked at by itself, and the break is told with its run and date."""
    past(STEP, **changed)
    printed, _, lines, page = told()
    assert "No level shift is seen" in printed
    assert re.search(rf"run-015 \(2026-01-16\): .*{what}", printed)
    assert [line["run"] for line in lines if line["break"]] == ["run-015"]
    assert re.search(rf"run-015 \(2026-01-16\): .*{what}", page.text)


def test_another_data_set_is_a_break(past, told):
    """Accuracies before and after it are of other images."""
    past([1000] * 3, named="a{}".format)
    past([1000] * 3, named="b{}".format, data_sha256="ab" * 32, created_utc="2026-02-01T00:00:00+00:00")
    printed, _, lines, _ = told()
    assert "b0 (2026-02-01): another data set from here on" in printed
    assert [line["break"] for line in lines if line["break"]] == ["another data set"]


def test_of_several_machines_one_is_to_be_chosen(past):
    """One line lists them with their runs; unit, machine class, host and machine name one."""
    other = {"exact_unit": "f" * 16, "host": "there", "cpu_model": "Xeon", "machine_class": {"id": "0123456789ab"}}
    folders = [*past([1000] * 3, named="a{}".format), *past([500] * 2, named="b{}".format, environment=lambda _: other)]
    runs = [read_past(folder)[0] for folder in folders]
    with pytest.raises(UsageError, match="--machine NAME") as error:
        of_one_machine(runs, None)
    there_are = f"{UNIT} (3 runs, here, AMD EPYC, 2 CPUs), ffffffffffffffff (2 runs, there, Xeon, 2 CPUs)"
    assert there_are in str(error.value)
    for name in ("f" * 16, "0123456789AB", "there", "xeon, 2 cpus"):
        assert [run.name for run in of_one_machine(runs, name)] == ["b0", "b1"]
    with pytest.raises(UsageError, match="--machine theer: no run is of that machine; did you mean 'there'"):
        of_one_machine(runs, "theer")


def test_a_class_of_several_units_says_so(past, told):
    """A level may then be that of another machine of the same kind."""
    kind = {"machine_class": {"id": "0123456789ab"}}
    past([1000] * 3, named="a{}".format, environment=lambda _: kind)
    past([900] * 3, named="b{}".format, environment=lambda _: kind | {"exact_unit": "f" * 16})
    printed, _, _, _ = told(machine="0123456789ab")
    assert "6 runs on 2 machines that share a name" in printed
    assert "may be the step from one to another" in printed


def test_damaged_runs_are_told_of_and_skipped(past, stored, told, tmp_path):
    """A line each: no run.json that can be read, and a time that is none; a torn trial costs only itself."""
    past([1000] * 3)
    stored("timeless", trials(1000), created_utc="yesterday \x1b[31m")
    (tmp_path / "runs" / "torn").mkdir()
    (tmp_path / "runs" / "torn" / "run.json").write_text('{"suite": 5')
    with (tmp_path / "runs" / "run-001" / "trials.jsonl").open("a") as stream:
        stream.write('{"trial": nu')
    _, errors, lines, _ = told()
    assert [line["run"] for line in lines] == ["run-000", "run-001", "run-002"]
    assert len(errors.splitlines()) == 3
    assert re.search(r"timeless/run.json: created_utc 'yesterday .*' is no time; .*; skipped", errors)
    assert re.search(r"torn/run.json: not JSON .*; skipped", errors)
    assert "torn last line" in errors
    assert "\x1b" not in errors


def test_nothing_that_can_be_followed_is_wrong_usage(tmp_path):
    """A folder without runs, and one in which none can be read."""
    with pytest.raises(UsageError, match="holds no run; give run folders"):
        report_history([tmp_path], None, None)
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "run.json").write_text("{")
    with pytest.raises(UsageError, match="no run could be read"):
        report_history([tmp_path], None, None)


def test_what_a_run_did_not_measure_is_empty(stored, told):
    """A failed cell is a line with its status and no figure, and no point of its series."""
    stored("a", [*trials(1000), record({"xla": True}, status="error", reason="died")], created_utc="2026-01-01")
    stored("b", trials(1010), created_utc="2026-01-02")
    printed, _, lines, page = told()
    assert "Too few runs to look for level shifts in 2 cells" in printed
    (failed,) = [line for line in lines if line["label"] == "xla"]
    assert failed["status"] == "error"
    assert failed["throughput_images_per_s"] == failed["test_accuracy"] == failed["throughput_level_shift"] == ""
    cells = {line[0]: line for line in page.listings["cells"]["lines"]}
    assert cells["xla"][1:5] == ["0", "", "", ""]
    assert cells["default"][1] == "2"


def test_words_from_files_stay_words(past, told):
    """No formula in the CSV, no markup on the terminal, no HTML in the page."""
    hostile = {"host": HOSTILE, "git_commit": "=1+1", "packages": {"tensorflow": HOSTILE}, "cpu_model": HOSTILE}
    past([1000] * 2, environment=lambda _: hostile, suite=HOSTILE)
    printed, _, lines, page = told()
    assert "[bold]x[/bold]" in printed
    assert "\x1b" not in printed
    assert not [word for line in lines for word in line.values() if word.startswith(("=", "+", "-", "@"))]
    assert page.tags.count("script") == 3  # the page's own, and the data of its two listings


def test_pictures_are_true_to_time_and_name_what_changed(past, tmp_path):
    """Panels for cells, TensorFlow where it changed, the shift in percent; none for a figure that no run has."""
    folders = past(STEP, environment=lambda number: {"packages": {"tensorflow": "2.20.0" if number < 10 else "2.21.0"}})
    history = History(tuple(read_past(folder)[0] for folder in folders))
    drawn = plot_figure(tmp_path / "drawn", history, FIGURES["throughput"])
    texts = re.findall(r"<!-- (.*?) -->", html.unescape((tmp_path / "drawn.svg").read_text()))
    assert {"TF 2.20.0", "TF 2.21.0"} <= set(texts)
    assert any(re.fullmatch(r"[-−]\d\.\d %", text) for text in texts)
    assert re.fullmatch(r"images/s over time: level shifts of up to -\d\.\d % in 1 of 1 cell", drawn.title)
    assert plot_figure(tmp_path / "none", history, FIGURES["memory"]) is None
    gaps = [(after.began - before.began).days for before, after in zip(history.runs, history.runs[1:], strict=False)]
    assert gaps == [1] * 29


def test_runs_can_be_named_one_by_one(past, tmp_path):
    """Only these are followed, each once, and files go to history/ beside them by default."""
    folders = past([1000] * 3)
    assert report_history([*folders[:2], folders[0]], None, None) == 0
    lines = csv.DictReader((tmp_path / "runs" / "history" / "history.csv").open())
    assert [line["run"] for line in lines] == ["run-000", "run-001"]
    assert (tmp_path / "runs" / "history" / "history.html").is_file()
    assert not list((tmp_path / "runs" / "history").glob("memory.*"))


def test_newest_figures_are_of_one_run(stored, told):
    """What the newest run of a cell did not measure is empty, and not that of an older one."""
    stored("a", trials(1000, accuracies=[0.98]), created_utc="2026-01-01")
    stored("b", trials(1010), created_utc="2026-01-02")
    _, _, _, page = told()
    (line,) = page.listings["cells"]["lines"]
    assert line[:2] == ["default", "2"]
    assert line[2].startswith("1,010 (")
    assert line[4] == ""


def test_a_machine_whose_unit_is_not_recorded_can_be_chosen(past):
    """By its host, which the list then names it by."""
    folders = [*past([1000], named="a{}".format), *past([1000], named="b{}".format, environment=lambda _: OLD)]
    runs = [read_past(folder)[0] for folder in folders]
    with pytest.raises(UsageError, match=r"old \(1 run, old, AMD EPYC, 2 CPUs, exact unit not recorded\)"):
        of_one_machine(runs, None)
    assert [run.name for run in of_one_machine(runs, "old")] == ["b0"]
    with pytest.raises(UsageError, match="no run is of that machine"):
        of_one_machine(runs, "not recorded")


def test_figures_that_no_machine_has_break_nothing(past, told):
    """Whatever a file claims: what is beyond all machines is no point, a run of another century is left out."""
    past([1e-5] * 8, named="a{}".format)
    past([1e14] * 8, named="b{}".format, created_utc="2099-12-31T23:59:59+00:00")
    beyond = past([1e-8, 1e-7], named="d{}".format)
    past([1000], named="c{}".format, created_utc="0001-01-01T00:00:00")
    printed, errors, lines, _ = told()
    assert "level shift" in printed
    assert re.fullmatch(r"bench: .*c0/run.json: created_utc .* is not of this century; .*; skipped", errors.strip())
    assert len(lines) == 18
    seen = History(tuple(read_past(folder)[0] for folder in beyond)).series
    assert [one.figure for one in seen] == [FIGURES["accuracy"]]
