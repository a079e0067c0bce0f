"""`bench report RUN RUN…`: the page over several runs, from run folders to what is printed and written."""

import csv
import re

import pytest

from bench.errors import UsageError
from bench.guard.stored.compare import lettered
from bench.machines_command import report_side_by_side
from bench.several.comparison.picture import plot_machines
from bench.several.comparison.together import together
from bench.store.runs import read_run
from tests.bench.guard.stored.conftest import machine, trials
from tests.bench.report.conftest import record
from tests.bench.report.page.test_run import Read


@pytest.fixture
def told(capsys, tmp_path):
    """Reports runs, and returns what was printed, on stderr, and the page over all."""

    def run(*folders, relative_to=None):
        assert report_side_by_side(folders, relative_to, tmp_path / "out") == 0
        printed = capsys.readouterr()
        path = tmp_path / "out" / "comparison.html"
        return " ".join(printed.out.split()), printed.err, Read(path.read_text()) if path.exists() else None

    return run


def three(stored):
    """Machines of 1,000, 4,000 and 2,000 images/s; one cell failed on the second, and one only it has."""
    learned = {"accuracies": [0.98], "count": 3}
    xla, batch = {"xla": True}, {"global_batch": 64}
    there = machine(host="there", cpu_model="Xeon", usable_cpus=16, exact_unit="f" * 16)
    gpu = machine(host="big", gpus=["H100"], exact_unit="e" * 16)
    failed = record(xla, status="oom", reason="no room")
    return [
        stored("one", [*trials(1000, peak_host_memory_bytes=2**30, **learned), *trials(900, cell=xla)]),
        stored(
            "two",
            [*trials(4000, peak_host_memory_bytes=2**31, **learned), failed, *trials(7, cell=batch)],
            environment=there,
        ),
        stored("three", trials(2000, **learned), environment=gpu),
    ]


def test_machines_stand_over_the_one_that_was_chosen(stored, told):
    """Every cell of every run with its ratio; what only some have, or did not measure, is said; nothing is judged."""
    printed, errors, page = told(*three(stored), relative_to="there")
    cells, costs = page.listings["cells"], page.listings["lines"]
    assert cells["headers"][1:4] == [f"{letter} images/s (95 % interval)" for letter in "ABC"]
    assert cells["headers"][4:] == ["A ÷ B (95 % interval)", "C ÷ B (95 % interval)"]
    lines = {line[0]: line[1:] for line in cells["lines"]}
    default = [float(re.match("[0-9.,]+", word)[0].replace(",", "")) for word in lines["default"]]
    assert default == pytest.approx([1000, 4000, 2000, 0.25, 0.5], rel=0.002)
    assert lines["xla"] == [lines["xla"][0], "oom", "not in it", "", ""]
    assert lines["global_batch=64"][::2] == ["not in it", "not in it", ""]
    assert next(line for line in costs["lines"] if line[0] == "default")[1:] == ["1,024", "2,048", "", *["98.00"] * 3]
    assert "They did not all run on one exact unit" in printed
    assert "A trains 0.250" in printed
    assert page.text.index("They did not all run") < page.text.index("What differs") < page.text.index("geometric mean")
    assert "Xeon" in page.text
    assert errors == ""
    assert not re.search("regress|improv|unchanged", page.text)


def test_each_run_has_its_own_report_and_the_page_leads_there(stored, told, tmp_path):
    """The page of each is linked from the one over all, and ratios are in a CSV too."""
    folders = three(stored)
    _, _, page = told(*folders)
    assert [href for href in page.values("href") if "report.html" in href] == [
        f"../runs/{name}/report/report.html" for name in ("one", "two", "three")
    ]
    assert all((folder / "report" / "report.html").is_file() for folder in folders)
    lines = list(csv.DictReader((tmp_path / "out" / "comparison.csv").open()))
    assert {(line["reference"], line["other"]) for line in lines} == {("one", "two"), ("one", "three")}
    assert (tmp_path / "out" / "machines.png").read_bytes().startswith(b"\x89PNG")


def test_page_lies_in_the_last_run_by_default(stored):
    """Where its own report is."""
    folders = three(stored)
    assert report_side_by_side(folders, None, None) == 0
    assert (folders[-1] / "report" / "comparison.html").is_file()


def test_one_machine_is_told_what_judges(stored, told):
    """Runs of the same exact unit may be judged, but not by this page."""
    printed, _, page = told(stored("a", trials(1000)), stored("b", trials(900)))
    for told_ in (printed, page.text):
        assert "All ran on one exact unit" in told_
        assert "bench compare --verdict" in told_
        assert "bench ab" in told_


@pytest.mark.parametrize(
    ("name", "why"),
    [("thre", "no run has that letter, .*did you mean 'three'"), ("here", "fits runs A, B; give one of these letters")],
)
def test_a_name_that_fits_none_or_several_is_wrong_usage(stored, tmp_path, name, why):
    """One line, before anything is written."""
    folders = [stored(run, trials(1000)) for run in ("one", "three")]
    with pytest.raises(UsageError, match=f"--relative-to {name}: {why}"):
        report_side_by_side(folders, name, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (folders[0] / "report").exists()


def test_a_damaged_run_is_skipped(stored, told, tmp_path):
    """The others stand side by side; a single one that is left has its own report only."""
    one, other = stored("a", trials(1000)), stored("b", trials(900))
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "run.json").write_text("{")
    _, errors, page = told(one, tmp_path / "torn", other)
    assert len(errors.splitlines()) == 1
    assert errors.strip().endswith("; skipped")
    assert len([href for href in page.values("href") if "report.html" in href]) == 2
    (tmp_path / "out" / "comparison.html").unlink()
    printed, _, page = told(one, tmp_path / "torn")
    assert "nothing stands side by side" in printed
    assert page is None


def test_the_same_run_twice_counts_once(stored, told):
    """It is no second machine."""
    one = stored("a", trials(1000))
    printed, _, page = told(one, one)
    assert "nothing stands side by side" in printed
    assert page is None


def test_runs_without_a_cell_in_common_have_no_picture(stored, told, tmp_path):
    """A page that says so, and a picture of an earlier report is gone."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "machines.png").touch()
    printed, _, page = told(stored("a", trials(1000)), stored("b", trials(900, cell={"xla": True})))
    assert "no cell in common" in printed
    assert "no cell in common" in page.text
    assert not (tmp_path / "out" / "machines.png").exists()


def test_picture_has_eight_runs_and_both_ends_of_many_cells(stored, tmp_path):
    """What is left out is said; each run has its machine in the legend."""
    runs = [
        stored(
            f"{number}",
            [
                one
                for batch in range(8, 8 * 31, 8)
                for one in trials(1000 + batch * number, cell={"global_batch": batch})
            ],
            environment=machine(cpu_model=f"CPU {number}"),
        )
        for number in range(10)
    ]
    drawn = plot_machines(tmp_path / "drawn", together(lettered([read_run(folder) for folder in runs]), "C"))
    assert "Drawn are the 24 cells" in drawn.note
    assert "6 more are in comparison.csv" in drawn.note
    assert "Drawn are the first 8 runs; 2 more are in the tables" in drawn.note
    assert drawn.title.startswith("images/s ÷ that of C, geometric means: A 0.")
