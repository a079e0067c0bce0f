"""An epoch is trained to the step, in windows that follow each other without a pause, after a run-in."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.host import Conditions, HostPart
from bench.protocol.answers import Finished
from bench.protocol.commands import Evaluate, Finish, Prepare, RunWindow
from bench.report.rows import row_of
from bench.store.record import TrialRecord
from bench.store.windows import Window

Fake = Callable[..., Any]
Lead = Callable[..., TrialRecord]


def of_phase(record: TrialRecord, phase: str) -> list[Window]:
    return [window for window in record.windows if window.phase == phase]


def test_epoch_worked_out_by_hand(fake_worker: Fake, lead: Lead) -> None:
    """300 steps of 1/64 s are a first step, run-ins of 3, 6 and 12, 21 windows of 13 and a short one of 5.

    After the evaluation come a run-in and 11 windows for speed alone, which make 32 whole ones.
    """
    worker = fake_worker(step_s=1 / 64, buffered_batches=2)
    record = lead(worker, global_batch=200)
    assert worker.epochs == [[1, 3, 6, 12, *[13] * 21, 5], [3, *[13] * 11]]
    epoch = ["first_step"] + ["run_in"] * 3 + ["window"] * 22
    assert [window.phase for window in record.windows] == [*epoch, "run_in", *["window"] * 11]
    assert [number for number, window in enumerate(record.windows) if window.short] == [25]
    assert (record.status, record.stopped_by, record.reason) == ("ok", "epochs", None)
    assert [epoch.test_accuracy for epoch in record.epochs] == [0.97]


def test_later_epoch_worked_out_by_hand(fake_worker: Fake, lead: Lead) -> None:
    """The second epoch has a run-in of one window and no first step, so its short window is of 11.

    With 43 whole windows there are none for speed alone. Compiling is in no epoch's seconds.
    """
    worker = fake_worker(step_s=1 / 64, buffered_batches=2)
    record = lead(worker, global_batch=200, epochs=2)
    assert worker.epochs[1:] == [[3, *[13] * 22, 11], []]
    first, second = record.epochs
    assert (first.train_s, second.train_s) == (299 / 64, 300 / 64)
    assert first.train_accuracy == pytest.approx((0.1 + 299 * 0.9) / 300)
    assert second.train_accuracy == pytest.approx(0.9)


def test_time_to_accuracy_of_a_whole_conversation(fake_worker: Fake, lead: Lead) -> None:
    """First step 2 s, 299 steps of 1/64 s, evaluation 1 s, on the worker's clock; every epoch has 97 %."""
    record = lead(fake_worker(step_s=1 / 64, first_step_s=2.0, evaluate_s=1.0), global_batch=200, epochs=2)
    assert row_of(record, target_accuracy=0.97).time_to_accuracy_s == 2 + 299 / 64 + 1
    assert row_of(record, target_accuracy=0.98).time_to_accuracy_s is None


def test_what_the_worker_is_told(fake_worker: Fake, lead: Lead) -> None:
    """The conversation is prepare, windows, evaluate, for each epoch, then finish."""
    worker = fake_worker()
    lead(worker, epochs=2)
    kinds = [type(command) for command in worker.said]
    assert kinds[0] is Prepare
    assert kinds[-2:] == [Evaluate, Finish]
    assert kinds.count(Evaluate) == 2
    assert set(kinds[1:-2]) == {RunWindow, Evaluate}


def test_every_image_of_an_epoch_is_trained(fake_worker: Fake, lead: Lead) -> None:
    """No batch is thrown away before the last evaluation, also not what an evaluation lets pile up; after it, some are.

    An epoch of 20 steps has fewer windows than a throughput takes, so that windows for speed alone follow.
    """
    worker = fake_worker(train_images=4000)
    lead(worker, global_batch=200, epochs=2)
    last = max(place for place, command in enumerate(worker.said) if isinstance(command, Evaluate))
    before, after = (
        [command.afresh for command in part if isinstance(command, RunWindow)]
        for part in (worker.said[:last], worker.said[last:])
    )
    assert not any(before)
    assert after[0]
    assert not any(after[1:])


@given(
    train_images=st.integers(1, 70_000),
    steps=st.integers(1, 300),
    epochs=st.integers(1, 3),
    step_s=st.floats(1e-5, 2.0),
    buffered=st.integers(0, 6),
)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_epoch_trains_its_steps_exactly(
    fake_worker: Fake, lead: Lead, train_images: int, steps: int, epochs: int, step_s: float, buffered: int
) -> None:
    """Whatever the sizes and speeds, each epoch is floor(images / global_batch) steps, and the record has them all.

    In the end there are at least 32 whole windows.
    """
    batch = max(train_images // steps, 1)
    worker = fake_worker(train_images=train_images, step_s=step_s, buffered_batches=buffered)
    record = lead(worker, global_batch=batch, epochs=epochs)
    assert [sum(done) for done in worker.epochs[:-1]] == [train_images // batch] * epochs
    assert sum(not window.short for window in of_phase(record, "window")) >= 32
    assert [window.steps for window in record.windows] == [size for done in worker.epochs for size in done]
    assert (record.status, record.stopped_by, len(record.epochs)) == ("ok", "epochs", epochs)


@pytest.mark.parametrize("step_s", [0.0005, 0.03, 1.5])
def test_windows_are_equal_but_for_the_last_of_an_epoch(fake_worker: Fake, lead: Lead, step_s: float) -> None:
    """Only the last window of an epoch may have fewer steps, and just that one is marked short."""
    worker = fake_worker(step_s=step_s, buffered_batches=3)
    record = lead(worker, global_batch=50)
    windows = [window for window in list(record.windows)[: len(worker.epochs[0])] if window.phase == "window"]
    whole = windows[0].steps
    assert whole * step_s >= 0.2
    assert whole >= 4 * 3
    assert all(window.steps == whole and not window.short for window in windows[:-1])
    assert windows[-1].short == (windows[-1].steps < whole)
    assert not any(window.short for window in list(record.windows)[len(worker.epochs[0]) :])


def test_no_short_window_where_the_steps_fit(fake_worker: Fake, lead: Lead) -> None:
    """An epoch of 22 + 2 x 13 steps ends on a whole window, which is not marked short."""
    worker = fake_worker(train_images=48, step_s=1 / 64)
    record = lead(worker, global_batch=1)
    assert worker.epochs[0] == [1, 3, 6, 12, 13, 13]
    assert not any(window.short for window in record.windows)


def test_next_window_waits_behind_the_running_one(fake_worker: Fake, lead: Lead) -> None:
    """While a window runs, the next is queued behind it, until the last; a run-in has nothing behind it."""
    worker = fake_worker(step_s=1 / 64)
    lead(worker)
    epoch, for_speed_alone = [0, 0, 0, *[1] * 21, 0], [0, *[1] * 10, 0]
    assert worker.queued_behind == epoch + for_speed_alone


def test_run_in_after_every_pause(fake_worker: Fake, lead: Lead) -> None:
    """After the first step and after each evaluation come run-in steps, more than the batches that piled up."""
    worker = fake_worker(step_s=0.5, buffered_batches=4)
    record = lead(worker, epochs=3, global_batch=600)
    assert [done[0] for done in worker.epochs[1:]] == [5, 5, 5]
    assert [window.steps for window in of_phase(record, "run_in")] == [5, 10, 5, 5, 5]
    assert len([window for window in of_phase(record, "window") if not window.short]) == 32


def test_epoch_that_the_run_in_takes_whole(fake_worker: Fake, lead: Lead) -> None:
    """Where the run-in leaves no step to time, the epoch has its accuracy and the speed comes after it."""
    worker = fake_worker(train_images=400)
    record = lead(worker, global_batch=100)
    assert worker.epochs == [[1, 3], [3, *[13] * 32]]
    assert (record.status, record.reason, len(record.epochs)) == ("ok", None, 1)


def test_asynchronous_epoch_is_trained_to_the_step(fake_worker: Fake, lead: Lead) -> None:
    """What a window leaves under way is in another or none: an epoch is what was asked, a window what was told."""
    worker = fake_worker(effective={"in_flight_steps": 4}, buffered_batches=2, under_way=lambda number: number % 5)
    record = lead(worker, global_batch=200, epochs=2)
    assert [sum(epoch) for epoch in worker.epochs[:2]] == [300, 300]
    assert worker.epochs[1][0] == 2 + 4 + 1
    assert record.status == "ok"
    told = [window.steps for window in record.windows][: len(worker.epochs[0])]
    assert told != worker.epochs[0]
    assert 300 - 4 <= sum(told) <= 300


@pytest.mark.parametrize(("under_way", "status"), [(0, "error"), (1, "ok")])
def test_window_of_other_steps(fake_worker: Fake, lead: Lead, under_way: int, status: str) -> None:
    """More or fewer steps than were asked are an error unless so many may be under way."""
    worker = fake_worker(effective={"in_flight_steps": under_way}, under_way=lambda number: number % 2)
    record = lead(worker, global_batch=200)
    assert record.status == status
    assert (record.reason or "").endswith("trained 2 steps where 3 were asked" if status == "error" else "")


def test_windows_for_speed_alone_are_in_no_epoch(fake_worker: Fake, lead: Lead) -> None:
    """What is trained after the last evaluation changes no figure of learning, and is not evaluated."""
    worker = fake_worker()
    record = lead(worker)
    (epoch,) = record.epochs
    assert epoch.train_s == 299 / 64
    assert epoch.train_accuracy == pytest.approx((0.1 + 299 * 0.9) / 300)
    assert sum(isinstance(command, Evaluate) for command in worker.said) == 1


def test_stall_in_the_run_in_does_not_shorten_windows(fake_worker: Fake, lead: Lead) -> None:
    """A first run-in at a step a second, as while a library loads, is not taken for the speed of training."""
    worker = fake_worker(step_s=lambda window: 1.0 if window == 1 else 1 / 64)
    lead(worker)
    assert worker.epochs[0] == [1, 3, 6, 12, *[13] * 21, 5]


def test_synthetic_input_needs_no_drain(fake_worker: Fake, lead: Lead) -> None:
    """Without buffered batches the run-in starts at one step and windows last 0.2 s, no more."""
    worker = fake_worker(step_s=0.1, buffered_batches=0)
    lead(worker, global_batch=6000)
    assert worker.epochs == [[1, 1, 2, 2, 2, 2], [1, *[2] * 29]]


def test_record_has_what_the_worker_said(fake_worker: Fake, lead: Lead) -> None:
    """Host, effective settings, the seconds of each beginning, memory: all come from the worker's own words."""
    worker = fake_worker()
    record = lead(worker)
    assert (record.host, record.pid, record.versions) == ("fake", 7, {"numpy": "2.4"})
    assert record.effective == worker.effective
    assert record.build == {"is_cuda_build": "False"}
    assert (record.import_s, record.build_s, record.first_step_s) == (3.0, 0.5, 2.0)
    assert (record.peak_host_memory_bytes, record.peak_device_memory_bytes) == (2**30, None)
    assert record.worker_cpu_s == 1.5
    assert (record.train_images, record.training_flops_per_image) == (60_000, 1000)


def test_conditions_frame_the_trial(fake_worker: Fake, lead: Lead) -> None:
    """They are read before the worker is told to prepare and after its last word, with all of its work between."""
    worker = fake_worker(first_step_s=2.0)
    began = worker.clock.now
    record = lead(worker, epochs=0)
    assert record.conditions_before is not None
    assert record.conditions_after is not None
    assert (record.conditions_before.clock_s, record.conditions_after.clock_s) == (began, worker.clock.now)


def test_own_cpu_seconds_are_of_the_time_between_the_conditions(fake_worker: Fake, lead: Lead) -> None:
    """Kept is what the worker says it used from prepare on, beside all that it used, which its start is part of."""
    whole = fake_worker()
    assert lead(whole).own_cpu_s is None
    part = HostPart(before=Conditions(clock_s=5.0), after=Conditions(clock_s=9.0), own_cpu_s=1.25)
    memory: dict[str, Any] = {"peak_host_memory_bytes": 2**30, "peak_device_memory_bytes": None}
    last_word = Finished(**memory, worker_cpu_s=2.0, hosts={"fake": part})
    record = lead(fake_worker(faults={whole.answers - 1: last_word}))
    assert (record.status, record.worker_cpu_s, record.own_cpu_s, record.hosts) == ("ok", 2.0, 1.25, {})


def test_failed_trial_has_its_conditions_too(fake_worker: Fake, lead: Lead) -> None:
    """A worker that hangs may do so because of what its machine suffered; one that never came has none."""
    hung, absent = lead(fake_worker(hangs_at=3)), lead(fake_worker(hangs_at=0))
    assert hung.status == "timeout"
    assert hung.conditions_after is not None
    assert (absent.conditions_before, absent.conditions_after) == (None, None)
