"""A diagnosis over a live trial: its own windows and those of its probes in rounds, after all else."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from bench.execute.session import WorkerLost
from bench.measure.cpus import usable_cpus
from bench.protocol.answers import WindowDone
from bench.protocol.commands import BeginDiagnosis, EndDiagnosis, Evaluate, Finish, RunProbe, RunWindow
from bench.store.record import TrialRecord

Fake = Callable[..., Any]
Lead = Callable[..., TrialRecord]
PROBES = {"fused": 1 / 128, "resident": 1 / 256, "communication": 1 / 1024}
"""Powers of two, so that sums of seconds are exact; the trial as it is takes 1/64 s a step."""
ONE_ROUND_S = 16 * (1 / 64 + sum(PROBES.values()))
"""Each side runs in by 3 steps and is timed over 13."""


def in_groups(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """The items in order, so many at a time; they divide evenly."""
    assert len(items) % size == 0
    return [items[start : start + size] for start in range(0, len(items), size)]


def test_rounds_are_recorded(fake_worker: Fake, lead: Lead) -> None:
    """Every round has the seconds per step of the trial as it is and of each probe; clear shares need twelve."""
    record = lead(fake_worker(probe_step_s=PROBES), diagnosis_s=1000.0)
    assert record.status == "ok"
    assert record.diagnosis == [{"as_is": 1 / 64, **PROBES}] * 12


def test_every_side_runs_in_before_its_window(fake_worker: Fake, lead: Lead) -> None:
    """One step each to trace the graphs; then, side by side, a run-in of more than the buffers hold and a window."""
    worker = fake_worker(probe_step_s=PROBES, buffered_batches=2)
    lead(worker, diagnosis_s=1000.0)
    assert worker.diagnosed[:4] == [(None, 1), *((probe, 1) for probe in PROBES)]
    for (side, run_in), (timed_side, steps) in in_groups(worker.diagnosed[4:], 2):
        assert (side, run_in, steps) == (timed_side, 3, 13)


def test_a_pause_is_no_gift_to_the_trial_as_it_is(fake_worker: Fake, lead: Lead) -> None:
    """Each of its run-ins begins without what its input piled up while probes ran; a window goes on from there."""
    worker = fake_worker(probe_step_s=PROBES, buffered_batches=2)
    lead(worker, diagnosis_s=1000.0)
    began = [type(command) for command in worker.said].index(BeginDiagnosis)
    diagnosing = [command for command in worker.said[began:] if isinstance(command, RunWindow)]
    assert [command.afresh for command in diagnosing[1:]] == [command.steps == 3 for command in diagnosing[1:]]


def test_sides_take_turns_in_a_shuffled_order(fake_worker: Fake, lead: Lead) -> None:
    """Each round has every side once, and rounds differ in their order, so that none is always after the same one."""
    worker = fake_worker(probe_step_s=PROBES)
    lead(worker, diagnosis_s=1000.0)
    orders = [tuple(side for side, _ in one[::2]) for one in in_groups(worker.diagnosed[4:], 8)]
    assert all(set(order) == {None, *PROBES} for order in orders)
    assert len(set(orders)) > 6


def test_diagnosis_comes_after_all_else_and_is_ended(fake_worker: Fake, lead: Lead) -> None:
    """It begins after the last evaluation and the last window, and finish follows its end."""
    worker = fake_worker(probe_step_s=PROBES)
    record = lead(worker, diagnosis_s=1000.0, epochs=2)
    kinds = [type(command) for command in worker.said]
    begin, end = kinds.index(BeginDiagnosis), kinds.index(EndDiagnosis)
    assert kinds[end:] == [EndDiagnosis, Finish]
    assert Evaluate not in kinds[begin:]
    assert set(kinds[begin + 1 : end]) == {RunWindow, RunProbe}
    assert RunProbe not in kinds[:begin]
    assert sum(kind is RunWindow for kind in kinds[:begin]) == len(record.windows) - 1


def test_diagnosis_changes_nothing_else(fake_worker: Fake, lead: Lead) -> None:
    """Windows, epochs and the harness's traffic are as without; its windows stand in no list of windows."""
    plain = lead(fake_worker())
    diagnosed = lead(fake_worker(probe_step_s=PROBES), diagnosis_s=1000.0)
    assert plain.diagnosis is None
    assert [window.window_s for window in diagnosed.windows] == [window.window_s for window in plain.windows]
    assert [epoch.train_s for epoch in diagnosed.epochs] == [epoch.train_s for epoch in plain.epochs]
    assert diagnosed.peak_host_memory_bytes == plain.peak_host_memory_bytes
    assert diagnosed.harness is not None
    assert plain.harness is not None
    assert diagnosed.harness.span_s == plain.harness.span_s
    assert diagnosed.harness.exchanged_bytes == plain.harness.exchanged_bytes


def test_no_diagnosis_unless_asked(fake_worker: Fake, lead: Lead) -> None:
    """Without `diagnosis_s` no word of it is said."""
    worker = fake_worker(probe_step_s=PROBES)
    record = lead(worker)
    assert record.diagnosis is None
    assert not {BeginDiagnosis, RunProbe, EndDiagnosis} & {type(command) for command in worker.said}


@pytest.mark.parametrize(("rounds", "budget_rounds"), [(3, 3.0), (4, 3.5), (0, 0.0)])
def test_time_ends_it(fake_worker: Fake, lead: Lead, rounds: int, budget_rounds: float) -> None:
    """A round that has begun is ended, no other begins; the training's state is put back all the same."""
    worker = fake_worker(probe_step_s=PROBES)
    tracing_s = 1 / 64 + sum(PROBES.values())
    record = lead(worker, diagnosis_s=tracing_s + budget_rounds * ONE_ROUND_S)
    assert record.diagnosis is not None
    assert len(record.diagnosis) == rounds
    assert record.reason == f"no diagnosis: only {rounds} of 7 rounds in {tracing_s + budget_rounds * ONE_ROUND_S:g} s"
    assert isinstance(worker.said[-2], EndDiagnosis)


def test_seven_rounds_are_a_diagnosis(fake_worker: Fake, lead: Lead) -> None:
    """With as many as an interval needs, nothing is missing."""
    record = lead(fake_worker(probe_step_s=PROBES), diagnosis_s=6.5 * ONE_ROUND_S)
    assert record.diagnosis is not None
    assert (len(record.diagnosis), record.reason) == (7, None)


def test_last_look_ends_it(fake_worker: Fake, lead: Lead) -> None:
    """Where the trial as it is takes once or three times as long at random, no look finds narrow shares: 48 rounds."""
    chance = random.Random(1)  # noise, not a secret
    undisturbed = len(lead(fake_worker()).windows)
    worker = fake_worker(
        probe_step_s=PROBES, step_s=lambda window: (1 if window <= undisturbed else chance.choice([1, 3])) / 64
    )
    record = lead(worker, diagnosis_s=1000.0)
    assert record.diagnosis is not None
    assert len(record.diagnosis) == 48


def test_trial_that_has_no_probe_is_bound_by_computing_at_the_first_look(fake_worker: Fake, lead: Lead) -> None:
    """Fused, resident and alone: the trial as it is is compared with nothing, and all of it is computing."""
    record = lead(fake_worker(), diagnosis_s=1000.0)
    assert record.diagnosis == [{"as_is": 1 / 64}] * 12


def test_trial_over_its_budget_is_diagnosed_still(fake_worker: Fake, lead: Lead) -> None:
    """The time budget is for training; what bounds the cell can be told of the windows that there were."""
    record = lead(fake_worker(probe_step_s=PROBES), diagnosis_s=1000.0, budget_s=3.0)
    assert record.stopped_by == "budget"
    assert record.diagnosis is not None
    assert len(record.diagnosis) == 12


def test_worker_lost_while_diagnosing_leaves_the_trial_ok(fake_worker: Fake, lead: Lead) -> None:
    """What was measured before stands, memory too; the reason says that there is no diagnosis."""
    worker = fake_worker(probe_step_s=PROBES)
    began = len(lead(worker).windows) + len(worker.epochs)
    late = fake_worker(probe_step_s=PROBES, hangs_at=began + 10)
    record = lead(late, diagnosis_s=1000.0)
    assert (record.status, record.diagnosis, record.peak_host_memory_bytes) == ("ok", [], 2**30)
    assert record.harness is not None
    assert record.reason is not None
    assert record.reason.startswith("no diagnosis: no answer")
    assert len(record.windows) == 38


def test_answer_of_another_kind_ends_the_diagnosis(fake_worker: Fake, lead: Lead) -> None:
    """A window of the training in place of a probe's is not taken for it."""
    wrong = WindowDone(start_s=1.0, window_s=1.0, steps=1, loss=0.5, accuracy=0.9)
    record = lead(fake_worker(probe_step_s=PROBES, faults={42: wrong}), diagnosis_s=1000.0)
    assert (record.status, record.diagnosis) == ("ok", [])
    assert record.reason is not None
    assert "window_done" in record.reason


BEGUN = 40
"""The number of the answer `diagnosis_begun`; four to trace and eight for each of twelve rounds follow."""


@pytest.mark.parametrize(
    ("number", "rounds"),
    [
        pytest.param(BEGUN + 5 + 8 * 9 + 3, 9, id="in the tenth round"),
        pytest.param(BEGUN + 5 + 8 * 12, 12, id="putting the state back"),
        pytest.param(BEGUN + 5 + 8 * 12 + 1, 12, id="finishing"),
    ],
)
def test_worker_lost_after_enough_rounds_costs_none_of_them(
    fake_worker: Fake, lead: Lead, number: int, rounds: int
) -> None:
    """Whole rounds are kept, and the reason says how many there were before the worker went."""
    lost = fake_worker(probe_step_s=PROBES, faults={number: WorkerLost("the worker was killed by SIGKILL")})
    record = lead(lost, diagnosis_s=1000.0)
    assert record.status == "ok"
    assert record.diagnosis == [{"as_is": 1 / 64, **PROBES}] * rounds
    assert record.reason == f"after {rounds} rounds of diagnosis: the worker was killed by SIGKILL"


def test_all_that_is_missing_is_told(fake_worker: Fake, lead: Lead) -> None:
    """A trial that its budget cut off, and whose diagnosis came to nothing, gives both reasons."""
    record = lead(fake_worker(probe_step_s=PROBES), diagnosis_s=0.0, budget_s=2.0)
    assert record.reason == (
        "no diagnosis: only 0 of 7 rounds in 0 s; no accuracy: the time budget of 2 s ended after 139 of 300 steps"
    )


@pytest.mark.parametrize("diagnosis_s", [None, 1000.0])
def test_conditions_end_with_the_trial_proper(fake_worker: Fake, lead: Lead, diagnosis_s: float | None) -> None:
    """They are of the time up to the worker's own CPU seconds: what a diagnosis takes is no other program's."""
    record = lead(fake_worker(probe_step_s=PROBES), diagnosis_s=diagnosis_s, epochs=1)
    assert record.conditions_before is not None
    assert record.conditions_after is not None
    windows_s = sum(window.window_s for window in record.windows)
    assert record.conditions_after.clock_s - record.conditions_before.clock_s == windows_s + 1.0


def test_what_the_harness_took(fake_worker: Fake, lead: Lead) -> None:
    """From the end of the first step to the last window: its seconds, and a command and an answer for each window.

    The fake's messages are 100 bytes long; an evaluation is two messages too, and takes 1 s of the span.
    """
    record = lead(fake_worker(), epochs=2)
    after_first = list(record.windows)[1:]
    assert record.harness is not None
    assert record.harness.span_s == sum(window.window_s for window in after_first) + 2 * 1.0
    assert record.harness.exchanged_bytes == 2 * 100 * (len(after_first) + 2)
    assert record.harness.cpus == len(usable_cpus())
    assert record.harness.watchdog_cpu_s == 0.25
    assert record.harness.parent_cpu_s > 0
