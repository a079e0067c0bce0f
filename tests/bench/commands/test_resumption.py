"""Which machine and which code may finish a stored run."""

from pathlib import Path
from typing import Any

import pytest

from bench.commands.resumption import continued
from bench.errors import UsageError
from bench.measure.environment import read_environment
from bench.plan.data import checked_data
from bench.store.runs import create_run, read_run
from bench.trial import Cell, Trial


@pytest.fixture(scope="module")
def environment() -> dict[str, Any]:
    """What is read of the machine that runs the tests."""
    return read_environment()


@pytest.mark.parametrize(
    ("name", "before", "refused"),
    [
        ("git_commit", "0" * 40, True),
        ("code_sha256", "0" * 64, True),
        ("code_sha256", None, False),
    ],
    ids=["another commit", "edited without a commit", "of a version that did not tell"],
)
def test_run_is_finished_by_the_code_that_began_it(
    tmp_path: Path,
    plan: Any,
    small_data: Path,
    environment: dict[str, Any],
    name: str,
    before: str | None,
    refused: bool,
) -> None:
    """Repeats of two codes would stand in one cell; one line says which differs and what to do."""
    told = {
        "data": str(small_data),
        "data_sha256": checked_data(small_data).sha256,
        "environment": environment | {name: before},
    }
    stored = read_run(create_run(tmp_path, plan(Trial(cell=Cell()), **told)).folder)
    if refused:
        with pytest.raises(UsageError, match=rf"{name} was {before}, here it is .*; start a new run"):
            continued(stored, environment)
    else:
        assert continued(stored, environment).trials == stored.run.trials
