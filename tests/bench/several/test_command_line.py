"""What `bench report` takes, and what does not go together."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.commands.several import Request, report_asked
from bench.errors import UsageError

NOTHING = {"runs": [], "history": False, "machine": None, "relative_to": None, "out": None}
ONE = [Path("nowhere")]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"runs": ONE, "machine": "x"}, "give it with --history"),
        ({"runs": ONE, "out": Path("x")}, "--relative-to and --out are of a page over several runs; give two or more"),
        ({"runs": ONE, "relative_to": "a"}, "--relative-to and --out are of a page over several runs"),
        ({"runs": [*ONE, Path("b")], "relative_to": "a"}, "fewer than two runs could be read"),
        ({"runs": [Path(str(number)) for number in range(27)], "relative_to": "a"}, "27 runs: at most 26 stand"),
        ({"history": True, "relative_to": "a"}, "leave it out with --history"),
        ({"history": True, "runs": ONE}, "nowhere: holds no run; give run folders"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(asked, told):
    """One line that says what would be right."""
    with pytest.raises(UsageError, match=re.escape(told)):
        report_asked(Request(**NOTHING | asked))


@pytest.mark.parametrize(
    ("words", "told"),
    [([], "Missing argument 'RUN...'; give run folders, or --history"), (["--history"], "results: holds no run")],
)
def test_wrong_usage_is_one_line_and_exit_code_2(tmp_path, words, told):
    """No traceback; a history is of results/ unless told otherwise."""
    command = [sys.executable, "-m", "bench.cli", "report", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
