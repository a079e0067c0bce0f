"""`bench run --dry-run`: what will run, for how long, and what will not."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from bench.display import result_console
from bench.display.planned import show_plan
from bench.plan.estimates import Estimates
from bench.store.record import RunRecord
from bench.trial import Cell, Trial

SEEN, LIKE_IT, OTHER = Cell(global_batch=100), Cell(global_batch=200), Cell(global_batch=100, epochs=3)
IMPOSSIBLE = Trial(cell=Cell(precision="tf32"), unsupported="tf32 is a mode of NVIDIA tensor cores; a CPU has none")
Show = Callable[..., list[str]]


@pytest.fixture
def show(plan: Callable[..., RunRecord], capsys: pytest.CaptureFixture[str]) -> Show:
    """What is printed of a plan of some trials, where a trial of one cell took 12 s twice before."""

    def show(*trials: Trial, json: bool = False, budget_s: float | None = 40.0, **rest: Any) -> list[str]:
        estimates = Estimates(budget_s)
        for wall_s in (12.0, 12.0):
            estimates.add(SEEN, wall_s)
        show_plan(result_console(), plan(*trials, **rest), estimates, json=json)
        return capsys.readouterr().out.splitlines()

    return show


def test_each_trial_is_a_line_with_its_estimate_and_basis(show: Show) -> None:
    """In order, with seed and repeat; the total is of those that run, and says from what it is known."""
    trials = [Trial(cell=SEEN, seed=3, repeat=1), Trial(cell=LIKE_IT), Trial(cell=OTHER), IMPOSSIBLE]
    lines = show(*trials)
    rows = [line.split(maxsplit=4) for line in lines if line.split()[:1] and line.split()[0].isdecimal()]
    assert [row[0] for row in rows] == ["1", "2", "3", "4"]
    assert rows[0] == ["1", "global_batch=100", "3", "1", "to run: about 12 s, from 2 earlier trials"]
    assert rows[1][4] == "to run: about 12 s, from 2 trials of similar cells"
    assert lines[4].endswith("to run: at most 40 s + start, the budget")
    assert lines[5].endswith(f"unsupported: {IMPOSSIBLE.unsupported}")
    assert lines[-1] == (
        "To run: 3 of 4 trials, about 64 s (1 from earlier trials, 1 from similar cells, 1 at most, the budget + start)"
    )


def test_what_the_runs_budget_has_no_room_for_is_told(show: Show) -> None:
    """As far as the estimates go."""
    lines = show(Trial(cell=SEEN), Trial(cell=SEEN, repeat=1), Trial(cell=SEEN, repeat=2), run_budget_s=20.0)
    told = [line.partition("  to run")[1] or line.partition("skipped if estimates hold: ")[2] for line in lines[-4:-1]]
    assert told == ["  to run", "  to run", "the run's budget of 20 s is used up by then"]


def test_search_says_where_it_ends(show: Show) -> None:
    """How many batches will run nobody knows before."""
    assert show(Trial(cell=SEEN), max_batch=True)[-1].startswith(
        "Batches behind the first of a cell that does not train"
    )


def test_programs_get_an_event_for_each_trial(show: Show) -> None:
    """With seconds and basis as they are, None where nothing is known or nothing runs."""
    events = [
        json.loads(line) for line in show(Trial(cell=SEEN), Trial(cell=OTHER), IMPOSSIBLE, json=True, budget_s=None)
    ]
    assert {event["event"] for event in events} == {"planned"}
    assert [event["number"] for event in events] == [1, 2, 3]
    assert [event["estimate_s"] for event in events] == [12.0, None, None]
    assert [event["basis"] for event in events] == ["earlier trials", None, None]
    assert events[2]["why_not"].startswith("unsupported: tf32")
    assert Trial.model_validate(events[0]["trial"]).trial_id == events[0]["trial_id"]
