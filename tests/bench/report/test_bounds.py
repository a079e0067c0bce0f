"""What bounds a cell, from stored rounds to words."""

import pytest

from bench.report.bounds import HEADERS, bound_by, bounds_lines

STEADY = [0.1] * 8
INPUT_BOUND = {"as_is": 0.100, "fused": 0.095, "resident": 0.072, "communication": 0.002}
"""Of 100 ms a step 5 go to dispatch, 23 to input, 2 to communication and 70 to computing."""


def spread(one, *factors):
    """Rounds in which the step without input is so many times as long: what it grows by, input falls by."""
    return [{**one, "resident": one["resident"] * factor} for factor in factors]


def test_bound_with_its_share_and_interval(build):
    """Twelve equal rounds leave the interval no width; with resident windows of 69 to 75 ms input is 20 to 26 %."""
    (alike,) = build.cells(build.record(step_s=STEADY, diagnosis=[INPUT_BOUND] * 12))
    assert bound_by(alike) == "input 23 % (23–23)"
    (varied,) = build.cells(build.record(step_s=STEADY, diagnosis=spread(INPUT_BOUND, *[69 / 72, 1, 75 / 72] * 4)))
    assert bound_by(varied) == "input 23 % (20–26)"


def test_no_words_without_a_diagnosis(build):
    """Not asked for, and asked for but too short, are both empty."""
    for rounds in (None, [], [INPUT_BOUND] * 5):
        (cell,) = build.cells(build.record(step_s=STEADY, diagnosis=rounds))
        assert (bound_by(cell), bounds_lines([cell])) == ("", [])


def test_trials_of_a_cell_are_combined(build):
    """The median of their shares, an interval that holds all of theirs; a trial that failed stays out."""
    worse = {"as_is": 0.1, "resident": 0.067}
    trials = [
        build.record(seed=seed, step_s=STEADY, diagnosis=[one] * 12) for seed, one in enumerate([INPUT_BOUND, worse])
    ]
    fused = build.record(seed=2, status="error", step_s=STEADY, diagnosis=[{"as_is": 0.1, "fused": 0.01}] * 48)
    (cell,) = build.cells(*trials, fused)
    assert cell.diagnosis.rounds == 24
    assert bound_by(cell) == "input 28 % (23–33)"


def test_settings_not_asked_for_are_not_diagnosed(build):
    """An invalid trial says nothing of its cell."""
    invalid = build.record(status="invalid", step_s=STEADY, diagnosis=[INPUT_BOUND] * 12)
    (cell,), (row,) = build.cells(invalid), build.rows(invalid)
    assert (cell.diagnosis, row.diagnosis) == (None, None)


def test_line_has_every_cost_with_its_interval(build):
    """In percent of the step; a bound below nothing keeps its sign apart from the dash."""
    hidden = [{"as_is": 0.1, "resident": resident} for resident in [0.099, 0.101] * 6]
    cells = build.cells(
        build.record(step_s=STEADY, diagnosis=[INPUT_BOUND] * 12),
        build.record({"engine": "fused"}, step_s=STEADY, diagnosis=hidden),
        build.record({"engine": "fit"}, step_s=STEADY),
    )
    lines = {line[0]: dict(zip(HEADERS[1:], line[1:], strict=True)) for line in bounds_lines(cells)}
    assert lines == {
        "default": {
            "bound by": "input",
            "rounds": "12",
            "input %": "23.0 (23.0–23.0)",
            "dispatch %": "5.0 (5.0–5.0)",
            "communication %": "2.0 (2.0–2.0)",
            "compute %": "70.0 (70.0–70.0)",
        },
        "engine=fused": {
            "bound by": "compute",
            "rounds": "12",
            "input %": "0.0 (-1.0 to 1.0)",
            "dispatch %": "0.0 (0.0–0.0)",
            "communication %": "0.0 (0.0–0.0)",
            "compute %": "100.0 (99.0–101.0)",
        },
    }


@pytest.mark.parametrize("share", [0.0999, 0.1001])
def test_bound_is_worth_mending_from_a_tenth_on(build, share):
    """Just under a tenth of the step for input is bound by computing."""
    rounds = [{"as_is": 1.0, "resident": 1.0 - share}] * 12
    (cell,) = build.cells(build.record(step_s=STEADY, diagnosis=rounds))
    assert bound_by(cell) == ("compute 90 % (90–90)" if share < 0.1 else "input 10 % (10–10)")
