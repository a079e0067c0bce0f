"""Bad input gets one line on stderr that says what to do, exit code 2, and nothing is written."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bench.store.runs import create_run
from bench.trial import Cell, Trial

CASES = {
    "unknown suite": (
        ["run", "quik"],
        "unknown suite 'quik'; did you mean 'quick'?",
    ),
    "suite like no other": (
        ["run", "zzz"],
        "unknown suite 'zzz'; give one of article, cell, gpu, multi-gpu, multi-host, perf, quick, scaling, smoke",
    ),
    "suite file without its ending": (["run", "axis"], "unknown suite 'axis'; did you mean 'axis.toml'?"),
    "mistyped suite file": (["run", "feild.toml"], "feild.toml: No such file or directory; did you mean 'field.toml'?"),
    "mistyped command": (["rnu"], "No such command 'rnu'; did you mean 'run'?"),
    "command like no other": (["zzz"], "No such command 'zzz'; see bench --help"),
    "mistyped option": (["run", "--repeat", "3"], "No such option: --repeat; did you mean '--repeats'?"),
    "option without its value": (["run", "--set"], "Option '--set' requires an argument; see bench --help"),
    "value that is no number": (["run", "--repeats", "x"], "Invalid value for '--repeats': "),
    "mistyped word of an option": (
        ["guard", "--base", "x", "--inconclusive", "pas"],
        "Invalid value for '--inconclusive': 'pas' is not one of 'fail', 'pass'; see bench guard --help",
    ),
    "mistyped side": (["ab", "defualt", "default"], "'defualt' is no part of a side; did you mean 'default'?"),
    "workers that do not divide": (
        ["run", "--dry-run", "--set", "workers=2"],
        "1 replicas cannot be shared out evenly to 2 workers; give a multiple (in cell epochs=1, workers=2)",
    ),
    "missing argument": (["report"], "Missing argument 'RUN...'; give run folders, or --history; see --help"),
    "mistyped word of replicas": (
        ["run", "--set", "replicas=al"],
        "--set replicas=al: a whole number, or one of all, doubling; did you mean 'all'?",
    ),
    "mistyped rule": (
        ["run", "--set", "learning_rate=linaer"],
        "give a positive number or one of linear, sqrt; did you mean 'linear'?",
    ),
    "unknown axis": (["run", "--set", "engin=fit"], "did you mean 'engine'?"),
    "axis without a value": (["run", "--set", "engine"], "axis=value"),
    "wrong value": (["run", "--set", "precision=float99"], "precision"),
    "wrong type": (["run", "--set", "global_batch=many"], "--set global_batch=many: a whole number"),
    "no truth value": (["run", "--set", "xla=maybe"], "--set xla=maybe: true or false"),
    "mistyped choice": (["run", "--set", "engine=fitt"], "engine=fitt: one of fit, step, fused; did you mean 'fit'?"),
    "batch not divisible by replicas": (
        ["run", "--set", "strategy=mirrored", "--set", "replicas=3", "--set", "global_batch=200"],
        "not divisible by 3 replicas; choose a multiple, or give per_replica_batch (in cell ",
    ),
    "batch larger than the data": (
        ["run", "--set", "global_batch=60001", "--set", "engine=fit"],
        "60000 images; give at most that (in cell epochs=1, global_batch=60001, engine=fit)",
    ),
    "target in percent": (["run", "--target-accuracy", "99"], "--target-accuracy 99.0: give a share above 0"),
    "no target at all": (["run", "--target-accuracy", "nan"], "--target-accuracy nan: give a share above 0"),
    "target without an epoch": (
        ["run", "--epochs", "0", "--target-accuracy", "0.99"],
        "--target-accuracy 0.99: no accuracy can be reached in 0 epochs; give --epochs 1 or more",
    ),
    "batch of a search": (
        ["run", "--max-batch", "--set", "global_batch=64,128"],
        "--max-batch sets global_batch itself: batches of 64, 128, 256 … per replica up to the training set",
    ),
    "epochs of a search": (["run", "--max-batch", "--epochs", "1"], "--max-batch sets epochs itself"),
    "diagnosis of a search": (["run", "--max-batch", "--diagnose"], "--max-batch only finds out what trains"),
    "resumed as a search": (["run", "--max-batch", "--resume", "x"], "leave out --max-batch"),
    "mistyped launcher": (
        ["run", "--launcher", "shh"],
        "--launcher shh: give one of local, ssh, slurm, kubectl, or words",
    ),
    "launcher without hosts": (
        ["run", "--launcher", "env {host} {command}"],
        "no hosts; name them with --hosts a,b, or start within a Slurm allocation",
    ),
    "hosts without a place": (
        ["run", "--hosts", "a,b"],
        "--launcher local has no {host} to put them in; try --launcher ssh",
    ),
    "brackets of hosts": (
        ["run", "--launcher", "env {host} {command}", "--hosts", "n[1-"],
        "--hosts n[1-: brackets that do not match; write gpu[01-03,7],login",
    ),
    "too few hosts": (
        [
            "run",
            "--launcher",
            "env X={host} {command}",
            "--hosts",
            "a,b",
            "--set",
            "engine=step",
            "--set",
            "workers=3",
            "--set",
            "strategy=multi_worker_mirrored",
            "--set",
            "replicas=3",
            "--set",
            "global_batch=300",
        ],
        "--hosts: 3 workers cannot be shared out evenly to 2 hosts; name 3",
    ),
    "network that is none": (
        ["run", "--network", "10.0.0.0/40"],
        "--network 10.0.0.0/40: give an interface such as eth0",
    ),
    "network that is not here": (
        ["run", "--dry-run", "--network", "bogus0"],
        "--launcher local: rank 0: --network bogus0: no address in it on ",
    ),
    "misspelt place of hosts": (
        ["run", "--launcher", "env {hots} {command}", "--hosts", "a,b"],
        "nothing is put in for {hots}, but for command, host, quoted, rank; did you mean 'host'?",
    ),
    "Python that is not here": (["run", "--python", "/nowhere/python"], "--python /nowhere/python: no such program"),
    "missing data": (["run", "--data", "nowhere.npz"], "nowhere.npz: no such file"),
    "corrupt data": (["run", "--data", "corrupt.npz"], "corrupt.npz: not a readable .npz"),
    "nothing that can run": (
        ["run", "--set", "precision=tf32"],
        "nothing of suite cell can run here: tf32 is a mode of NVIDIA tensor cores; a CPU has none",
    ),
    "out below a file": (["run", "--out", "corrupt.npz/out"], "--out corrupt.npz/out"),
    "out is a file": (["run", "--out", "corrupt.npz"], "--out corrupt.npz"),
    "missing suite file": (["run", "nowhere.toml"], "nowhere.toml: No such file"),
    "broken suite file": (["run", "broken.toml"], "broken.toml: not TOML"),
    "unknown field in a suite": (["run", "field.toml"], "field.toml: budgets"),
    "unknown axis in a suite": (["run", "axis.toml"], "axis.toml: cells.1.engin: unknown; did you mean 'engine'?"),
    "one bad cell of several": (
        ["run", "cell.toml"],
        "choose a multiple, or give per_replica_batch (in cell strategy=mirrored, replicas=3)",
    ),
    "both batches in a cell": (
        ["run", "both.toml"],
        "both: give global_batch or per_replica_batch, not both (in cell global_batch=64, per_replica_batch=8)",
    ),
    "suite file that is there": (
        ["init", "axis.toml"],
        "axis.toml: is there already; name another file, or give --force",
    ),
    "suite file of another ending": (
        ["init", "suite.tml"],
        "suite.tml: a suite file's name ends in .toml; try suite.tml.toml",
    ),
    "suite file below a file": (["init", "axis.toml/x.toml"], "axis.toml/x.toml: "),
    "schema of nothing": (["schema", "suit"], "schema suit: unknown; did you mean 'suite'?"),
    "list of nothing": (["list", "nowhere"], "nowhere: no such folder"),
    "mistyped run": (
        ["report", "runs/20260102T000000Z-a-quik"],
        "No such file or directory; did you mean '20260102T000000Z-a-quick'?",
    ),
    "resume of nothing": (["run", "--resume", "nowhere"], "nowhere/run.json: No such file"),
    "report of nothing": (["report", "nowhere"], "nowhere/run.json: No such file"),
    "report of a folder of runs": (
        ["report", "runs"],
        "runs: holds runs but is none; give one of them, the newest is runs/20260102T000000Z-a-quick",
    ),
    "export of nothing": (["export", "nowhere", "--to", "pytest-benchmark"], "nowhere/run.json: No such file"),
    "export to an unknown format": (
        ["export", "nowhere", "--to", "pytest-benchmrk"],
        "--to pytest-benchmrk: unknown; did you mean 'pytest-benchmark'?",
    ),
    "export to nothing known": (
        ["export", "nowhere", "--to", "xyz"],
        "--to xyz: unknown; give one of bmf, csv, junit, parquet, pytest-benchmark, tensorboard",
    ),
    "import of a suite": (["import", "axis.toml"], "axis.toml: "),
    "resume of a folder of runs": (["run", "--resume", "runs"], "runs: holds runs but is none"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one of each bad file."""
    (tmp_path / "corrupt.npz").write_bytes(b"PK\x03\x04 not really")
    (tmp_path / "broken.toml").write_text("name = \n")
    (tmp_path / "field.toml").write_text('name = "x"\nbudgets = 3\n')
    (tmp_path / "axis.toml").write_text('name = "x"\n[[cells]]\n[[cells]]\nengin = "fit"\n')
    (tmp_path / "cell.toml").write_text('name = "cell"\n[[cells]]\n[[cells]]\nstrategy = "mirrored"\nreplicas = 3\n')
    (tmp_path / "both.toml").write_text('name = "both"\n[[cells]]\nglobal_batch = 64\nper_replica_batch = 8\n')
    for name in ("20260101T000000Z-b-quick", "20260102T000000Z-a-quick"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_line_and_exit_2(case, folder):
    """Each wrong word is answered by one line naming it and the fix, with exit code 2 and nothing written."""
    words, expected = CASES[case]
    before = sorted(folder.rglob("*"))
    command = [sys.executable, "-m", "bench.cli", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stdout == ""
    assert sorted(folder.rglob("*")) == before


def test_plan_of_which_nothing_can_run_has_the_code_of_the_run() -> None:
    """The plan is shown all the same, with each reason: a preflight in CI must not pass where the job will not."""
    command = [sys.executable, "-m", "bench.cli", "run", "--dry-run", "--set", "replicas=2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "To run: 0 of 1 trials" in done.stdout
    assert "nothing of suite cell can run here: strategy default has one replica" in done.stderr


def test_closed_pipe_is_no_failed_trial() -> None:
    """`| head` ends it as it ends any program: 141, not the 1 of a trial that failed."""
    words = shlex.join([sys.executable, "-m", "bench.cli", "run", "article", "--dry-run", "--repeats", "300"])
    command = ["bash", "-c", f"{words} | head -1; exit ${{PIPESTATUS[0]}}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("launched", "given", "told"),
    [
        ({"--launcher": "ssh", "--hosts": "a,b"}, [], "it was started with --launcher ssh --hosts a,b; give the same"),
        ({}, ["--launcher", "ssh", "--hosts", "a"], "it was started on this machine; leave out where workers run"),
    ],
)
def test_run_is_finished_where_it_was_started(tmp_path, plan, launched, given, told):
    """Repeats of two places would stand in one cell; what starts workers is never taken from a file."""
    folder = create_run(tmp_path, plan(Trial(cell=Cell()), launched=launched)).folder
    command = [sys.executable, "-m", "bench.cli", "run", "--resume", str(folder), *given]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (2, f"bench: --resume {folder}: {told}\n")
