"""The workflows in docs/workflows are what a CI server reads, and their commands are ones that this version takes."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from bench.cli import app

FOLDER = Path(__file__).parents[2] / "docs" / "workflows"


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def commands() -> list[str]:
    """Every line that a shell of a CI server runs."""
    github = [step["run"] for step in read("guard-github.yml")["jobs"]["guard"]["steps"] if "run" in step]
    return [*github, *read("guard-gitlab.yml")["guard"]["script"]]


@pytest.mark.parametrize("command", commands())
def test_every_option_is_one_that_the_command_has(command: str) -> None:
    """With --help behind it, the command line takes all words and runs nothing; a word it does not know is refused."""
    program, *words = shlex.split(command)
    assert program == "scripts/bench"
    assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0
    assert CliRunner().invoke(app, [*words, "--no-such-option", "--help"]).exit_code == 2


@pytest.mark.parametrize("command", commands())
def test_no_text_of_a_pull_request_is_pasted_into_a_shell(command: str) -> None:
    """Names of branches are their authors' words: they reach a shell as quoted variables only."""
    assert "${{" not in command
    assert all(f'"{variable}"' in command for variable in re.findall(r"\$\w+", command))


def test_the_base_is_in_the_clone() -> None:
    """Both fetch the whole history: a shallow clone has no base revision."""
    checkout = read("guard-github.yml")["jobs"]["guard"]["steps"][0]
    assert checkout["with"]["fetch-depth"] == 0
    assert read("guard-gitlab.yml")["guard"]["variables"]["GIT_DEPTH"] == "0"


def test_results_are_kept_when_the_gate_fails() -> None:
    """A job that failed is the one whose figures are wanted; JUnit's file is looked for where the gate writes it."""
    upload = read("guard-github.yml")["jobs"]["guard"]["steps"][-1]
    assert upload["if"] == "always()"
    gitlab = read("guard-gitlab.yml")["guard"]["artifacts"]
    assert (gitlab["when"], gitlab["reports"]["junit"]) == ("always", "guard/*/junit.xml")
    assert all("--out guard" in command for command in commands())
