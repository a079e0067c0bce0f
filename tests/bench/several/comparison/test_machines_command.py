"""`bench report RUN RUN…`: the page over several runs, from run folders to what is printed and written."""

import csv
import re

import pytest

from bench.commands.machines import report_side_by_side, write_side_by_side
from bench.errors import UsageError
from bench.guard.stored.compare import lettered
from bench.several.comparison.picture import plot_machines
from bench.several.comparison.together import together
from bench.store.record import HarnessCost
from bench.store.runs import read_run
from tests.bench.guard.stored.conftest import machine, trials
from tests.bench.report.conftest import record
from tests.bench.report.page.test_run import Read


@pytest.fixture
def beside(capsys, tmp_path):
    """Puts runs side by side without their own reports, and returns what was printed and the page."""

    def run(*folders, relative_to=None):
        write_side_by_side(together(lettered([read_run(one) for one in folders]), relative_to), tmp_path / "out")
        page = Read((tmp_path / "out" / "comparison.html").read_text())
        return " ".join(capsys.readouterr().out.split()), page

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


def test_machines_stand_over_the_one_that_was_chosen(stored, beside):
    """Every cell of every run with its ratio; what only some have, or did not measure, is said; nothing is judged."""
    printed, page = beside(*three(stored), relative_to="there")
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
    assert not re.search("regress|improv|unchanged", page.text)


def test_runs_of_the_same_name_are_told_apart_by_the_folder_above(stored):
    """Copied from two machines: each name leads to its own report."""
    folders = [stored(f"{name}/quick", trials(1000)) for name in ("laptop", "server")]
    assert report_side_by_side(folders, None, None) == 0
    page = Read((folders[-1] / "report" / "comparison.html").read_text())
    assert "laptop/quick" in page.text
    assert "server/quick" in page.text
    hrefs = [href for href in page.values("href") if "report.html" in href]
    assert hrefs == ["../../../laptop/quick/report/report.html", "report.html"]


def test_a_cpu_and_a_gpu_share_the_rows_of_their_cells(stored, beside):
    """Where no cell is in both, all settings but the device join them; what only one has keeps a row of its own."""
    cpu = stored("cpu", [*trials(1000), *trials(500, cell={"global_batch": 64})])
    gpu = stored("gpu", [*trials(4000, cell={"device": "gpu"}), *trials(9, cell={"device": "gpu", "xla": True})])
    _, page = beside(cpu, gpu)
    lines = {name: rest for name, *rest in page.listings["cells"]["lines"]}
    assert list(lines) == ["global_batch=64", "default", "gpu xla"]
    assert lines["default"][2].startswith("4.00")
    assert lines["global_batch=64"][1:] == ["not in it", ""]
    assert (lines["gpu xla"][0], lines["gpu xla"][2]) == ("not in it", "")
    assert "joined by all settings but the device, which is cpu in A, gpu in B" in page.text


def test_each_run_has_its_own_report_and_the_page_leads_there(stored):
    """It lies in the report of the last run unless told otherwise, and has its ratios in a CSV."""
    folders = [stored(name, trials(1000)) for name in ("one", "two")]
    assert report_side_by_side([*folders, folders[0]], None, None) == 0  # a run named twice counts once
    out = folders[-1] / "report"
    hrefs = Read((out / "comparison.html").read_text()).values("href")
    assert [href for href in hrefs if "report.html" in href] == ["../../one/report/report.html", "report.html"]
    assert all((folder / "report" / "report.html").is_file() for folder in folders)
    (line,) = csv.DictReader((out / "comparison.csv").open())
    assert (line["reference"], line["other"], float(line["throughput_ratio"])) == ("one", "two", pytest.approx(1))
    assert (out / "machines.png").read_bytes().startswith(b"\x89PNG")


def test_what_the_harness_cost_is_told_of_each_run(stored, beside):
    """Of a run that recorded none nothing is said."""
    cost = HarnessCost(span_s=8.0, cpus=2, parent_cpu_s=0.016, watchdog_cpu_s=0.0, exchanged_bytes=800)
    _, page = beside(stored("a", trials(1000)), stored("b", trials(900, harness=cost)))
    assert "B: Harness, at most: 0.20 % of a CPU's time (parent and watchdog)" in page.text
    assert "A: Harness" not in page.text


def test_one_machine_is_told_what_judges(stored, beside):
    """Runs of the same exact unit may be judged, but not by this page."""
    printed, page = beside(stored("a", trials(1000)), stored("b", trials(900)))
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


def test_a_damaged_run_is_skipped(stored, capsys, tmp_path):
    """With a line; a single one that is left has its own report only."""
    one = stored("a", trials(1000))
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "run.json").write_text("{")
    assert report_side_by_side([one, tmp_path / "torn"], None, tmp_path / "out") == 0
    printed = capsys.readouterr()
    assert len(printed.err.splitlines()) == 1
    assert printed.err.strip().endswith("; skipped")
    assert "nothing stands side by side" in printed.out
    assert (one / "report" / "report.html").is_file()
    assert not (tmp_path / "out").exists()


def test_runs_without_a_cell_in_common_have_no_picture(stored, beside, tmp_path):
    """A page that says so, and a picture of an earlier report is gone."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "machines.png").touch()
    printed, page = beside(stored("a", trials(1000)), stored("b", trials(900, cell={"xla": True})))
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
