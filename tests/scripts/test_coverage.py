"""The simulation of coverage agrees with what the documentation claims."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "coverage.py"


def test_no_coverage_is_proven_to_be_too_low() -> None:
    """Forty series for each line are enough to find an interval that holds the truth two times in three."""
    done = subprocess.run([sys.executable, SCRIPT, "--series", "40"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("proven below 93 % (!): 0 of 88") == 4
