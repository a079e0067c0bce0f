"""`bench baseline`: promote, list, check."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from junitparser import Skipped
from junitparser.xunit2 import JUnitXml

from bench.commands.baseline import check_run, list_baselines, promote_runs
from bench.errors import UsageError
from bench.guard.stored.judge import Margins
from bench.measure.identity import code_sha256
from bench.store.baselines import KEPT, keep_baseline, read_baselines
from mnist_cnn.dataset import load_dataset
from tests.bench.guard.stored.conftest import UNIT, cell_figures, figures, machine, trials
from tests.bench.report.conftest import record


@pytest.fixture
def store(tmp_path):
    return tmp_path / "baselines"


@pytest.fixture
def promoted(five, store):
    """Five runs that differ by little, promoted; `rest` changes their environment."""

    def make(**rest):
        folders = five(**rest)
        assert promote_runs(folders, store) == 0
        return folders

    return make


@pytest.fixture
def new(stored):
    """A run of another day."""

    def make(speed, **rest):
        return stored("new", trials(speed, many=64), **{"created_utc": "2026-02-01"} | rest)

    return make


@pytest.fixture
def check(store, capsys):
    def run(folder, other_code=False, inconclusive="fail"):
        capsys.readouterr()
        code = check_run(folder, store, Margins(), None, other_code=other_code, inconclusive=inconclusive)
        return code, " ".join(capsys.readouterr().out.split())

    return run


def test_promoting_keeps_figures_not_windows(stored, store, capsys):
    """A small file with the pooled figures of the cells that went well."""
    good = trials(1000, 3, many=64, peak_host_memory_bytes=700, accuracies=[0.99])
    folder = stored("run", [*good, record({"xla": True}, status="oom")])
    promote_runs([folder], store)
    (run,) = read_baselines(store, UNIT).runs
    (cell,) = run.cells
    assert cell.throughput_images_per_s == pytest.approx(1000, rel=1e-4)
    assert (cell.processes, cell.peak_host_memory_bytes, cell.test_accuracy, cell.seeds) == (
        3,
        700,
        pytest.approx(0.99),
        [0],
    )
    assert (run.name, run.machine) == ("run", "AMD EPYC, 2 CPUs")
    assert (store / UNIT / f"{run.run_id}.json").stat().st_size < 2000
    assert "run: kept with 1 cells; baseline runs of unit 6a12a98c2b3187f3: 1 " in capsys.readouterr().out
    promote_runs([folder], store)
    assert "was there already" in capsys.readouterr().out


def test_a_run_that_newer_ones_leave_no_room_for_is_not_said_to_be_kept(stored, store, capsys):
    """Nor is a cell of it: what stays is what is told, also of a run that another of the same command made go."""
    for number in range(KEPT - 1):
        keep_baseline(store, figures(number, cell_figures()))
    both = [*trials(1000), *trials(500, cell={"xla": True})]
    folders = [
        stored("old", trials(1000), created_utc="2025-01-01"),
        stored("last", trials(1000), created_utc="2026-06-01"),
        stored("rare", both, created_utc="2025-01-02"),
    ]
    promote_runs(folders, store)
    old, last, rare = capsys.readouterr().out.splitlines()
    assert last.startswith("last: kept with 1 cells; ")
    assert rare.startswith("rare: kept with 1 of 2 cells: 20 newer runs have each of the others; ")
    assert old.startswith("old: not kept: 20 newer runs have each of its cells; ")


def test_a_run_that_cannot_be_a_baseline_is_refused_before_any_is_kept(stored, store):
    """Without a machine to know again, or without a figure; the good one beside it is not kept either."""
    good = stored("good", trials(1000))
    nobody = stored("nobody", trials(1000), environment=machine(exact_unit="../../etc"))
    empty = stored("empty", [record(status="oom")])
    with pytest.raises(UsageError, match="no exact unit is recorded"):
        promote_runs([good, nobody], store)
    with pytest.raises(UsageError, match="nothing to promote"):
        promote_runs([good, empty], store)
    assert not store.exists()


@pytest.mark.parametrize(("speed", "code"), [(800, 1), (1200, 0), (1001, 0), (975, 3)])
def test_check_judges_by_the_promoted_runs(promoted, new, check, speed, code):
    """Regressed 1, improved and unchanged 0, inconclusive 3."""
    promoted()
    assert check(new(speed))[0] == code


def test_inconclusive_may_pass(promoted, new, check):
    """Where the user says so."""
    promoted()
    assert check(new(975), inconclusive="pass")[0] == 0


def test_a_promoted_run_is_not_judged_by_itself(promoted, check):
    """Of five runs four are left: not enough."""
    code, printed = check(promoted()[2])
    assert code == 4
    assert "there are 4" in printed
    assert "this very run" in printed


def test_no_baseline_is_not_comparable(new, check):
    """Exit code 4, and how to make one."""
    code, printed = check(new(1000))
    assert code == 4
    assert "make one with: bench baseline promote RUN" in printed


def test_an_earlier_verdict_does_not_pass_for_one_that_there_is_no_ground_for(promoted, new, check, store):
    """Where the baseline is gone, what CI reads beside the run is a skipped case that says so."""
    promoted()
    folder = new(800)
    assert check(folder)[0] == 1
    shutil.rmtree(store)
    assert check(folder)[0] == 4
    verdict = folder / "report" / "comparison"
    (suite,) = JUnitXml.fromfile(str(verdict / "junit.xml"))
    (case,) = suite
    assert [type(one) for one in case.result] == [Skipped]
    assert "has no baseline of unit" in case.result[0].message
    assert "regressed" not in (verdict / "verdict.md").read_text()
    assert "regressed" not in (verdict / "verdict.csv").read_text()


def test_stale_baselines_say_so(promoted, stored, new, check):
    """Of other code or data they are no ground; of other code they may be taken all the same, never of other data."""
    promoted(code_sha256="01d" * 8)
    folder = new(1000)
    code, printed = check(folder)
    assert code == 4
    assert "5 of 5 baseline runs are of other benchmark code" in printed
    assert "stale" in printed
    assert check(folder, other_code=True)[0] == 0
    code, printed = check(stored("elsewhere", trials(1000), data_sha256="ab" * 32), other_code=True)
    assert code == 4
    assert "stale: of another data set" in printed


def test_cells_that_the_run_lacks_are_told(promoted, stored, new, store, check):
    """A verdict on fewer cells than the baseline has says which are missing."""
    promoted()
    both = stored("both", [*trials(1000), *trials(500, cell={"xla": True})])
    promote_runs([both], store)
    code, printed = check(new(1000))
    assert code == 0
    assert "in the baseline, not in this run: xla" in printed


def test_check_tells_what_differs_from_the_baseline(promoted, new, check):
    """A verdict on other software of the same machine says that it is."""
    promoted()
    _, printed = check(new(1000, environment=machine(packages={"tensorflow-cpu": "2.22.0"})))
    assert "version of tensorflow-cpu: run-4 2.21.0; new 2.22.0" in printed


@pytest.mark.parametrize("code", [5, "no hash", ["a"]])
def test_a_damaged_run_is_refused_with_its_field(new, store, code):
    """One line, whatever stands where a hash should."""
    with pytest.raises(UsageError, match=r"run\.json: code_sha256"):
        promote_runs([new(1000, environment=machine(code_sha256=code))], store)


def test_list_tells_unit_machine_cells_age_data_and_code(stored, store, capsys):
    """A line for each unit, code and data set; stale and unknown code is marked, and data that is not the embedded."""
    assert list_baselines(store) == 0
    assert "No baselines in" in capsys.readouterr().out
    old, embedded = (datetime.now(UTC) - timedelta(days=3, hours=1)).isoformat(), load_dataset().sha256
    folders = [
        stored("this", trials(1), environment=machine(code_sha256=code_sha256()), created_utc=old),
        stored("stale", trials(2), environment=machine(code_sha256="01d01d01d"), created_utc="=soon\x1b[31m"),
        stored("unknown", trials(3), environment=machine(code_sha256=None), data_sha256=embedded),
    ]
    promote_runs(folders, store)
    capsys.readouterr()
    assert list_baselines(store) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert f"{UNIT} AMD EPYC, 2 CPUs 1 1 3 days ago da7ada7a other this" in printed
    assert "=soon [31m da7ada7a other stale 01d01d01" in printed
    assert f"{embedded[:8]} unknown" in printed


def test_a_store_that_cannot_be_written_is_named(stored, tmp_path):
    """One line with the option."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"--store .*file: cannot be written"):
        promote_runs([stored("run", trials(1000))], tmp_path / "file")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["check", "nowhere"], "give a run folder"),
        (["promote", "nowhere"], "give a run folder"),
        (["chekc", "run"], "chekc"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(tmp_path, words, told):
    """No traceback."""
    command = [sys.executable, "-m", "bench.cli", "baseline", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
