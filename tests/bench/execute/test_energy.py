"""On a GPU measuring goes on until one stretch of windows is long enough for its energy."""

import pytest

from bench.measure.energy import longest_stretch

GPU = {"device": "gpu"}
ON_GPU = {"devices": ["/device:GPU:0"], "allocator": "growth"}


def stretch_s(record) -> float:
    stretch = longest_stretch(record.windows, record.trial.cell.global_batch)
    assert stretch is not None
    return stretch.seconds


@pytest.fixture
def gpu_worker(fake_worker):
    """A worker whose settings are read back as those of a GPU."""
    return lambda **settings: fake_worker(effective=ON_GPU, **settings)


def test_epochs_are_followed_by_a_stretch_of_ten_seconds(gpu_worker, lead):
    """Thirty-two windows of 0.2 s in epochs of 4.7 s have none of 10 s: windows for energy alone follow, evaluated."""
    record = lead(gpu_worker(step_s=1 / 64), global_batch=200, **GPU)
    assert 10 <= stretch_s(record) < 10.5
    assert record.stopped_by == "epochs"
    assert len(record.epochs) == 1


def test_stretch_that_is_there_already_is_not_made_again(gpu_worker, lead):
    """Epochs of 300 steps of 0.1 s are 30 s of windows that follow each other."""
    record = lead(gpu_worker(step_s=0.1), global_batch=200, **GPU)
    assert record.windows.phase[-1] == "window"
    assert "run_in" not in record.windows.phase[20:]


def test_measuring_for_speed_alone_goes_on_for_energy(gpu_worker, lead):
    """Even where the interval is narrow after 32 windows, which are not 10 s."""
    record = lead(gpu_worker(step_s=1 / 64), global_batch=200, epochs=0, **GPU)
    assert 10 <= stretch_s(record) < 10.5
    assert record.stopped_by == "target"


def test_budget_ends_the_stretch_too(gpu_worker, lead):
    """A trial whose interval was narrow enough before its time was up has no energy, and is no failure."""
    record = lead(gpu_worker(step_s=1 / 64), global_batch=200, epochs=0, budget_s=8.0, **GPU)
    assert stretch_s(record) < 8
    assert (record.status, record.stopped_by) == ("ok", "target")


def test_on_a_cpu_nothing_is_added(fake_worker, lead):
    """Its energy is not measured."""
    record = lead(fake_worker(step_s=1 / 64), global_batch=200, epochs=0)
    assert stretch_s(record) < 8
