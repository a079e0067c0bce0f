"""The suite file that `bench init` writes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.plan.axes import AXES
from bench.plan.planning import plan_trials
from bench.plan.suite import Suite, parse_suite
from bench.plan.support import Machine
from bench.plan.template import suite_template

TEMPLATE = suite_template(Path("mine.toml"))
COMMENTED = [line for line in TEMPLATE.splitlines() if re.match(r"#\S", line)]
MACHINES = [Machine(), Machine(gpus=["NVIDIA H100"] * 4)]


def plans(text: str) -> list[list[str]]:
    suite = parse_suite(text, "mine.toml")
    planned = [plan_trials(suite, one, max_batch=suite.max_batch, train_images=60_000) for one in MACHINES]
    return [[trial.trial_id for trial in trials] for trials in planned]


def test_it_runs_as_it_is():
    """Two engines, one epoch, on any machine."""
    suite = parse_suite(TEMPLATE, "mine.toml")
    (one, other) = plan_trials(suite, Machine(), train_images=60_000)
    assert suite.name == "mine"
    assert {one.cell.engine, other.cell.engine} == {"step", "fused"}
    assert (one.unsupported, other.unsupported) == (None, None)


@pytest.mark.parametrize("line", COMMENTED)
def test_every_commented_setting_can_be_made(line):
    """With its # taken away it says something that was not said before, and can be planned on any machine."""
    text = TEMPLATE.replace(f"\n{line}\n", f"\n{line[1:]}\n")
    assert parse_suite(text, "mine.toml") != parse_suite(TEMPLATE, "mine.toml")
    assert all(plans(text))


def test_every_setting_there_is_stands_in_it():
    """Each field of a suite and each axis, made or as a comment, with what it is."""
    for name in Suite.model_fields:
        assert re.search(rf"^#?\[?{name}\b", TEMPLATE, re.MULTILINE), name
    axes = TEMPLATE.split("[axes]")[1]
    for axis in AXES.values():
        assert re.search(rf"^#?{axis.name} = \[", axes, re.MULTILINE), axis.name
        assert axis.description
        assert " ".join(axis.description.split()) in " ".join(axes.replace("\n# ", " ").split())


def test_all_words_that_an_axis_takes_are_told():
    """A setting that is one of several words has them all in its line, for each of them is a cell."""
    for axis in AXES.values():
        words = axis.json_schema.get("enum", [])
        assert set(words) <= set(axis.examples)


@pytest.mark.parametrize(
    ("file", "name"), [("a b.toml", "a-b"), ("…toml.toml", "toml"), ("ä.toml", "suite"), (f"{'x' * 80}.toml", "x" * 40)]
)
def test_name_follows_the_file(file, name):
    """As far as a suite may be called so."""
    assert parse_suite(suite_template(Path(file)), file).name == name


def test_hostile_file_name_stays_a_comment():
    """A line break in the name of a file begins no line of the suite."""
    assert parse_suite(suite_template(Path("a\nb\x07 = 3.toml")), "x") == parse_suite(
        suite_template(Path("a-b-3.toml")), "x"
    )


def bench(*words, cwd):
    command = [sys.executable, "-m", "bench.cli", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_init_writes_and_does_not_overwrite(tmp_path):
    """`suite.toml` by default; a file that is there stays, but for --force; what was written can be planned at once."""
    done = bench("init", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Suite: suite.toml; see its plan with: bench run suite.toml --dry-run\n"
    planned = bench("run", "suite.toml", "--dry-run", cwd=tmp_path)
    assert (planned.returncode, planned.stdout.count("to run")) == (0, 2), planned.stderr
    (tmp_path / "suite.toml").write_text("mine")
    refused = bench("init", "suite.toml", cwd=tmp_path)
    assert (refused.returncode, (tmp_path / "suite.toml").read_text()) == (2, "mine")
    assert refused.stderr == "bench: suite.toml: is there already; name another file, or give --force to replace it\n"
    assert bench("init", "--force", cwd=tmp_path).returncode == 0
    assert (tmp_path / "suite.toml").read_text() == suite_template(Path("suite.toml"))


def test_the_page_on_suites_shows_it_whole():
    """docs/suites.md has the very text, so that a reader sees every setting and no outdated one."""
    page = (Path(__file__).parents[3] / "docs" / "suites.md").read_text(encoding="utf-8")
    assert f"```toml\n{suite_template(Path('suite.toml'))}```\n" in page
