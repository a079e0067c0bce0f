"""What `bench run --help` tells without the README."""

import subprocess
import sys
from importlib import metadata

from bench.commands.run import DIAGNOSIS_S
from bench.plan.suite import suite_names


def test_help_of_run_names_suites_defaults_and_exit_codes():
    """Every suite there is, what options default to, how long a diagnosis takes, and what the exit codes mean."""
    command = [sys.executable, "-m", "bench.cli", "run", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    told = " ".join(done.stdout.replace("│", " ").split())
    assert f"Suites: {', '.join(sorted(suite_names()))}." in told
    assert f"{DIAGNOSIS_S:.0f} s" in told
    assert told.count("(the suite's,") == 2
    assert all(f"{code} " in told.split("Exit codes:")[1] for code in (0, 1, 2, 130))


def test_version_names_this_package_and_what_trains():
    """A line each, this package first."""
    command = [sys.executable, "-m", "bench.cli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    first, *others = done.stdout.splitlines()
    assert first == f"mnist-cnn-bench {metadata.version('mnist-cnn-bench')}"
    assert f"keras {metadata.version('keras')}" in others
