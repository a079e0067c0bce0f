"""What `bench report` takes, and what does not go together."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "Missing argument 'RUN...'; give run folders, or --history"),
        (["a", "--machine", "x"], "give it with --history"),
        (["a", "--out", "x"], "--relative-to and --out are of a page over several runs"),
        (["a", "--relative-to", "a"], "--relative-to and --out are of a page over several runs"),
        (["--history", "--relative-to", "a"], "leave it out with --history"),
        (["--history"], "results: holds no run"),
        (["--history", "nowhere"], "nowhere: holds no run"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(tmp_path, words, told):
    """No traceback."""
    command = [sys.executable, "-m", "bench.cli", "report", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
