"""An environment without TensorFlow, as on a cluster's login node: made here, with the base dependencies only."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.store.runs import create_run

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Runs the installed `bench` command of the environment."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    source = folder / "source"
    source.mkdir()
    for name in ("bench", "mnist_cnn", "pyproject.toml", "README.md", "LICENSE"):
        (source / name).symlink_to(REPOSITORY / name)
    pip = [folder / "venv/bin/python", "-m", "pip", "install", "-q", "-c", REPOSITORY / "constraints.txt"]
    subprocess.run([*pip, "--no-compile", "--editable", source], check=True, timeout=240)
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def bench(*words):
        command = [folder / "venv/bin/bench", *map(str, words)]
        return subprocess.run(command, env=clean, cwd=folder, capture_output=True, text=True, timeout=60, check=False)

    return bench


@pytest.mark.slow
def test_help_and_env_work(bench):
    """`bench --help` lists the commands and `bench env` describes the machine; neither needs TensorFlow."""
    helped, told = bench("--help"), bench("env", "--all")
    assert (helped.returncode, told.returncode) == (0, 0)
    assert "report" in helped.stdout
    assert "cpu model" in told.stdout
    assert "tensorflow" not in told.stdout


@pytest.mark.slow
def test_report_works(bench, plan, record, tmp_path):
    """`bench report` draws a stored run."""
    done = record("ok")
    writer = create_run(tmp_path, plan(done.trial))
    writer.append(done)
    reported = bench("report", writer.folder)
    assert reported.returncode == 0, reported.stderr
    assert (writer.folder / "report" / "summary.md").exists()
    assert (writer.folder / "report" / "report.html").exists()


@pytest.mark.slow
def test_run_says_what_is_missing(bench, tmp_path):
    """`bench run` says in one line that TensorFlow is missing, with exit code 2, and writes nothing."""
    refused = bench("run", "--out", tmp_path / "out")
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert "TensorFlow is not installed" in refused.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_trials_that_run_elsewhere_are_planned_without_it(bench):
    """The hosts that workers start on have it; where they do not, that is said of them."""
    where = ["run", "smoke", "--dry-run", "--launcher", f"env PYTHONPATH={REPOSITORY} {{command}}"]
    planned, bare = bench(*where, "--python", sys.executable), bench(*where)
    assert (planned.returncode, "to run" in planned.stdout) == (0, True), planned.stderr
    assert (bare.returncode, "rank 0: TensorFlow is not installed there" in bare.stderr) == (2, True), bare.stderr
