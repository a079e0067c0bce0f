"""What this machine is and what would spoil a measurement on it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.measure.environment import read_environment, spoilers

QUIET: dict[str, Any] = {
    "load_1min": 0.1,
    "usable_cpus": 8,
    "cpu_governor": "performance",
    "cpu_limit": None,
    "memory_available_bytes": 2**34,
}


def test_quiet_machine_has_no_spoilers() -> None:
    """Nothing is said of a machine that is idle, fixed in its clocks and unlimited."""
    assert spoilers(QUIET) == []
    assert spoilers(QUIET | {"cpu_governor": None, "cpu_limit": 8.0}) == []


@pytest.mark.parametrize(
    ("change", "told", "mend"),
    [
        ({"load_1min": 1.7}, "load is 1.7 on 8 CPUs", "stop them"),
        ({"cpu_governor": "powersave"}, "CPU governor is powersave", "cpupower"),
        ({"cpu_limit": 1.5}, "a cgroup allows 1.5 CPUs of 8", "cpu_threads"),
        ({"memory_available_bytes": 2**30}, "less than 2 GiB of memory", "close"),
    ],
)
def test_spoiler_comes_with_its_mend(change: dict[str, Any], told: str, mend: str) -> None:
    """Each of them alone is one line that says what was found and what to do."""
    (line,) = spoilers(QUIET | change)
    assert told in line
    assert mend in line


def test_environment_can_be_stored_and_judged() -> None:
    """The environment of any machine is JSON, names its packages, and can be looked through for spoilers."""
    environment = read_environment()
    assert json.loads(json.dumps(environment)) == environment
    assert environment["logical_cpus"] >= environment["usable_cpus"] >= 1
    assert environment["memory_bytes"] > environment["memory_available_bytes"] > 2**20
    assert environment["memory_limit_gib"] is None or environment["memory_limit_gib"] > 0
    assert "numpy" in environment["packages"]
    assert isinstance(spoilers(environment), list)


def git_facts(folder: Path) -> tuple[str | None, bool | None]:
    """Commit and dirtiness as the copy of bench below a folder reads them."""
    script = "from bench.measure.environment import read_environment as r; e = r(); import json\n"
    script += "print(json.dumps([e['git_commit'], e['git_dirty']]))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    commit, dirty = json.loads(done.stdout)
    return commit, dirty


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_commit_is_of_this_code(tmp_path: Path) -> None:
    """In somebody else's repository there is no commit; in its own, it is told with changes, but of results."""
    whole = Path(__file__).parents[3]
    shutil.copytree(whole / "bench" / "measure", tmp_path / "bench" / "measure")
    (tmp_path / "bench" / "__init__.py").touch()
    (tmp_path / "theirs.txt").touch()
    (tmp_path / ".gitignore").write_text("__pycache__\n")

    def git(*words: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        command = ["git", *identity, "-C", str(tmp_path), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert git_facts(tmp_path) == (None, None)
    git("init")
    git("add", "theirs.txt", ".gitignore")
    git("commit", "-m", "theirs")
    assert git_facts(tmp_path) == (None, None)
    git("add", ".")
    git("commit", "-m", "ours")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "table.md").touch()
    assert git_facts(tmp_path) == (git("rev-parse", "HEAD"), False)
    (tmp_path / "bench" / "__init__.py").write_text("changed = True\n")
    assert git_facts(tmp_path) == (git("rev-parse", "HEAD"), True)


def test_only_variables_of_the_libraries_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes a library's doing is recorded; what shares a beginning with it, and may be secret, is not."""
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    monkeypatch.setenv("TF_VAR_password", "secret")
    monkeypatch.setenv("TF_TOKEN_example", "secret")
    variables = read_environment()["variables"]
    assert variables["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert "secret" not in variables.values()
