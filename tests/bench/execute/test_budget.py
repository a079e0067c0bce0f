"""A time budget reached is no failure: what was measured stands, and what is missing has its reason."""

from collections.abc import Callable
from typing import Any

import pytest

from bench.protocol.commands import Evaluate, Finish
from bench.store.record import TrialRecord

Fake = Callable[..., Any]
Lead = Callable[..., TrialRecord]

# 300 steps of 1/64 s: first step, run-in of 21, then windows of 13 that end 21/64 + 13/64 n s after the first step
LAST_WINDOW_BEGINS_S = (21 + 21 * 13) / 64
EPOCH_ENDS_S = 299 / 64


def test_budget_in_the_middle_of_an_epoch(fake_worker: Fake, lead: Lead) -> None:
    """The windows so far are kept, nothing is evaluated, and the reason tells how far it came."""
    worker = fake_worker()
    record = lead(worker, budget_s=2.0)
    # 21/64 + 13/64 n reaches 2 s with n = 9, and long before that there is no room to queue another
    assert sum(window.steps for window in record.windows) == 1 + 21 + 9 * 13
    assert worker.queued_behind == [0, 0, 0, *[1] * 7, 0, 0]
    assert (record.status, record.stopped_by, record.epochs) == ("ok", "budget", [])
    assert record.reason == "no accuracy: the time budget of 2 s ended after 139 of 300 steps"
    assert not any(isinstance(command, Evaluate) for command in worker.said)
    assert isinstance(worker.said[-1], Finish)
    assert record.peak_host_memory_bytes is not None


@pytest.mark.parametrize("budget_s", [LAST_WINDOW_BEGINS_S + 0.01, EPOCH_ENDS_S, EPOCH_ENDS_S + 0.5])
def test_budget_that_ends_with_the_last_epoch(fake_worker: Fake, lead: Lead, budget_s: float) -> None:
    """A budget reached while the last window runs, or with it, or while evaluating, costs no accuracy.

    No window for speed alone follows.
    """
    record = lead(fake_worker(), budget_s=budget_s)
    assert (record.status, record.stopped_by, record.reason) == ("ok", "epochs", None)
    assert len(record.epochs) == 1
    assert sum(window.steps for window in record.windows) == 300


def test_budget_one_window_before_the_end(fake_worker: Fake, lead: Lead) -> None:
    """Reached as the short last window would begin, the epoch stays unfinished."""
    record = lead(fake_worker(), budget_s=LAST_WINDOW_BEGINS_S)
    assert (record.stopped_by, record.epochs) == ("budget", [])
    assert record.reason is not None
    assert record.reason.endswith("ended after 295 of 300 steps")


def test_budget_between_epochs(fake_worker: Fake, lead: Lead) -> None:
    """Evaluation is on the clock of the budget; a finished epoch is kept, the next one is not begun."""
    worker = fake_worker(evaluate_s=10.0)
    record = lead(worker, budget_s=EPOCH_ENDS_S + 5, epochs=3)
    assert (record.status, record.stopped_by, len(record.epochs)) == ("ok", "budget", 1)
    assert sum(window.steps for window in record.windows) == 300
    assert record.reason is not None
    assert record.reason.endswith("after 300 of 900 steps")


def test_compiling_is_off_the_budget(fake_worker: Fake, lead: Lead) -> None:
    """The budget begins once the first step is done, so a long compilation uses nothing of it."""
    record = lead(fake_worker(first_step_s=500.0), budget_s=EPOCH_ENDS_S + 1)
    assert record.stopped_by == "epochs"


def test_budget_within_the_windows_for_speed_alone(fake_worker: Fake, lead: Lead) -> None:
    """Once the epochs are done, a budget only ends the measuring; accuracy and what was measured stand."""
    worker = fake_worker()
    # evaluated after 1 s; then a run-in of 3/64 s and windows of 13/64 s, of which the third reaches the budget
    record = lead(worker, budget_s=EPOCH_ENDS_S + 1 + 3 / 64 + 2.5 * 13 / 64)
    assert worker.epochs[1] == [3, 13, 13, 13]
    assert (record.status, record.stopped_by, record.reason, len(record.epochs)) == ("ok", "epochs", None, 1)


def test_budget_that_leaves_no_window(fake_worker: Fake, lead: Lead) -> None:
    """Where the run-in took the whole epoch and the budget, the missing throughput has its reason."""
    record = lead(fake_worker(train_images=400), global_batch=100, budget_s=0.5)
    assert (record.status, len(record.epochs)) == ("ok", 1)
    assert record.reason == "no throughput: the time budget of 0.5 s ended within the run-in"


def test_budget_that_leaves_no_window_of_an_unfinished_epoch(fake_worker: Fake, lead: Lead) -> None:
    """Both figures are missing, and the row says so of both."""
    record = lead(fake_worker(), budget_s=0.3)
    assert (record.status, len(record.epochs)) == ("ok", 0)
    assert record.reason == "no throughput and no accuracy: the time budget of 0.3 s ended after 22 of 300 steps"


def test_open_ended_trial_stops_at_the_target(fake_worker: Fake, lead: Lead) -> None:
    """With epochs=0 and steady windows the first look at 32 is content; the one in flight is drained."""
    worker = fake_worker()
    record = lead(worker, epochs=0)
    assert [window.phase for window in record.windows].count("window") == 33
    assert (record.status, record.stopped_by, record.reason) == ("ok", "target", None)
    assert not any(isinstance(command, Evaluate) for command in worker.said)


def test_open_ended_trial_stops_at_the_last_look(fake_worker: Fake, lead: Lead) -> None:
    """Windows that get slower and slower never meet the target, so 256 of them are enough."""
    record = lead(fake_worker(step_s=lambda window: 0.02 * (1 + window / 20)), epochs=0)
    assert [window.phase for window in record.windows].count("window") == 257
    assert (record.status, record.stopped_by) == ("ok", "last_look")


def test_open_ended_trial_stops_at_the_budget(fake_worker: Fake, lead: Lead) -> None:
    """With epochs=0 there is no accuracy to miss, so a budget reached needs no reason."""
    record = lead(fake_worker(), epochs=0, budget_s=2.0)
    assert sum(window.steps for window in record.windows) == 1 + 21 + 9 * 13
    assert (record.status, record.stopped_by, record.reason) == ("ok", "budget", None)


def test_target_decides_when_a_trial_is_certain(fake_worker: Fake, lead: Lead) -> None:
    """The same windows meet a wide target at the first look and a narrow one later or never."""
    irregular = {"step_s": lambda window: 0.02 * (1 + 0.3 * (window * 7919 % 101) / 101)}
    wide = lead(fake_worker(**irregular), epochs=0, target=0.5)
    narrow = lead(fake_worker(**irregular), epochs=0, target=1e-6)
    assert (wide.stopped_by, narrow.stopped_by) == ("target", "last_look")
    assert len(wide.windows) < len(narrow.windows)
