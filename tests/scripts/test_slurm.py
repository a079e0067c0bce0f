"""The Slurm job: what it asks for, what it hands to the benchmark, and how it ends before its time is up.

No Slurm is needed: the script runs as Slurm would run it, as a copy elsewhere, beside a stand-in for scripts/bench.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench.sbatch"

STAND_IN = f"""#!{sys.executable}
# A benchmark that notes what it is asked, and where told so trains until Ctrl-C and then takes its time to record it.
import os, sys, time
from pathlib import Path
print(*sys.argv[1:], sep="|", flush=True)
if "--wait" in sys.argv:
    run = Path(sys.argv[sys.argv.index("--out") + 1], "20260101T000000Z-a-gpu")
    run.mkdir(parents=True)
    (run / "run.json").write_text('{{\\n "host": "%s"\\n}}' % os.uname().nodename)
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(0.4)
        (run / "recorded").touch()
        sys.exit(130)
sys.exit(int(os.environ.get("EXIT_CODE", "0")))
"""


class Job:
    """A repository of nothing but the stand-in, and the job script in a spool folder as Slurm has it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.script = folder / "a checkout", folder / "spool" / "slurm_script"
        self.script.parent.mkdir()
        shutil.copy(SCRIPT, self.script)
        (self.root / "scripts").mkdir(parents=True)
        (self.root / "scripts" / "bench").write_text(STAND_IN)
        (self.root / "scripts" / "bench").chmod(0o755)
        self.runs = self.root / "results" / "slurm-42"

    def begin(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
        return subprocess.Popen(
            ["bash", self.script, *words],
            cwd=self.root,
            env=clean | {"SLURM_JOB_ID": "42"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, **environment: str) -> tuple[int, str, str]:
        """Exit code, what the stand-in was asked, and stderr."""
        process = self.begin(*words, **environment)
        out, err = process.communicate(timeout=20)
        return process.returncode, out.strip(), err

    def keep_run(self, name: str, host: str) -> str:
        (self.runs / name).mkdir(parents=True)
        (self.runs / name / "run.json").write_text(f'{{\n "environment": {{\n  "host": "{host}"\n }}\n}}')
        return f"results/slurm-42/{name}"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_without_arguments_the_gpu_suite_runs(job: Job) -> None:
    """Its run goes to the job's own folder."""
    assert job.run() == (0, "run|--out|results/slurm-42|gpu", "")


def test_arguments_and_exit_code_pass(job: Job) -> None:
    """Whatever follows the script reaches `bench run` as it was typed."""
    code, asked, _ = job.run("quick", "--set", "engine=a  b", "*", EXIT_CODE="1")
    assert (code, asked) == (1, "run|--out|results/slurm-42|quick|--set|engine=a  b|*")


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_end_of_time_interrupts_the_benchmark_and_waits(job: Job, number: signal.Signals) -> None:
    """The signal goes to the shell alone; the benchmark hears Ctrl-C, records, and the job says how to go on."""
    process = job.begin("gpu", "--wait")
    deadline = time.monotonic() + 10
    while not list(job.runs.glob("*/run.json")):
        assert time.monotonic() < deadline, "the benchmark never began"
        time.sleep(0.01)
    os.kill(process.pid, number)
    time.sleep(0.1)
    os.kill(process.pid, number)  # Slurm may say it again; the record is not cut short
    _, err = process.communicate(timeout=20)
    run = "results/slurm-42/20260101T000000Z-a-gpu"
    assert process.returncode == 130
    assert (job.root / run / "recorded").exists()
    assert "scontrol requeue 42" in err
    assert f"--resume {run}" in err


def test_requeued_job_goes_on_with_its_newest_run_here(job: Job) -> None:
    """A run of another host would be refused, so it is passed over, however new."""
    here = os.uname().nodename
    job.keep_run("20260101T000000Z-a-gpu", here)
    newest = job.keep_run("20260102T000000Z-a-gpu", here)
    job.keep_run("20260103T000000Z-b-gpu", f"{here}-1")
    code, asked, err = job.run("gpu", "--repeats", "3", SLURM_RESTART_COUNT="1")
    assert (code, asked) == (0, f"run|--resume|{newest}")
    assert newest in err


def test_requeued_job_without_a_run_here_begins_one(job: Job) -> None:
    """It was ended before it began, or is on another node now, and says so."""
    job.keep_run("20260103T000000Z-b-gpu", "elsewhere")
    _, asked, err = job.run("quick", SLURM_RESTART_COUNT="2")
    assert asked == "run|--out|results/slurm-42|quick"
    assert "no run on" in err


def test_first_start_looks_for_no_run(job: Job) -> None:
    """Job ids begin anew one day: what an earlier job of this number left is not touched."""
    job.keep_run("20260101T000000Z-a-gpu", os.uname().nodename)
    assert job.run("gpu")[1] == "run|--out|results/slurm-42|gpu"


def test_start_in_the_wrong_place_is_refused(job: Job) -> None:
    """Outside of Slurm, or of a checkout: one line that says what to do, and exit 2."""
    code, asked, err = job.run(SLURM_JOB_ID="")
    assert (code, asked, err.count("\n")) == (2, "", 1)
    assert "submit with: sbatch" in err
    (job.root / "scripts" / "bench").unlink()
    code, _, err = job.run()
    assert (code, err.count("\n")) == (2, 1)
    assert "--chdir" in err


def test_slurm_reads_every_request() -> None:
    """Slurm stops reading at the first command; the output's folder is one that a clone has, for Slurm makes none."""
    lines = SCRIPT.read_text().splitlines()
    first_command = next(place for place, line in enumerate(lines) if line and not line.startswith("#"))
    requests = dict(re.findall(r"^#SBATCH --([a-z-]+)=?(\S*)$", "\n".join(lines[:first_command]), re.MULTILINE))
    assert len(requests) == sum("#SBATCH" in line for line in lines)
    assert requests["nodes"] == "1"
    assert {"exclusive", "requeue", "gpus", "time"} <= set(requests)
    assert requests["signal"].startswith("B:USR1@")
    assert (SCRIPT.parents[1] / requests["output"]).parent.joinpath("README.md").exists()
