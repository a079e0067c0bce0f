"""How several trials of a cell become one line."""

import pytest

from bench.report.cells import summarise


def test_throughput_pools_images_and_seconds(build):
    """Eight windows at 2,000 and eight at 4,000 images/s are 32,000 images in 12 s, not the mean of the rates."""
    (cell,) = summarise(build.rows(build.record(step_s=[0.1] * 8), build.record(step_s=[0.05] * 8, seed=1)))
    assert cell.throughput_images_per_s == pytest.approx(32_000 / 12)


def test_three_processes_have_an_interval_between_them(build):
    """Seconds per image 500, 550 and 600 µs: mean 550, sd 50, t(2) = 4.3027, so 550 ± 124.2 µs."""
    trials = [build.record(step_s=[step_s] * 8, seed=seed) for seed, step_s in enumerate([0.1, 0.11, 0.12])]
    (cell,) = summarise(build.rows(*trials))
    assert cell.interval is not None
    assert cell.interval.low == pytest.approx(1e6 / (550 + 124.207), rel=1e-4)
    assert cell.interval.high == pytest.approx(1e6 / (550 - 124.207), rel=1e-4)


def test_two_processes_have_no_interval(build):
    """Two processes say next to nothing about the spread between processes."""
    (cell,) = summarise(build.rows(build.record(step_s=[0.1] * 8), build.record(step_s=[0.11] * 8, seed=1)))
    assert (cell.interval, cell.interval_over) == (None, "none, n=2")


def test_three_processes_never_show_the_interval_of_windows(build):
    """Windows that do not vary would give no width at all; what varies here is the processes."""
    trials = [build.record(step_s=[step_s] * 64, repeat=repeat) for repeat, step_s in enumerate([0.1, 0.11, 0.12])]
    rows = build.rows(*trials)
    assert all(row.interval.high - row.interval.low < 1e-6 for row in rows)
    (cell,) = summarise(rows)
    assert cell.interval_over == "processes, n=3"
    assert cell.interval.high - cell.interval.low > 500


def test_process_of_too_few_windows_has_no_interval(build):
    """One process with a throughput but no interval says so; one without a window says nothing."""
    (few,), (none,) = summarise(build.rows(build.record(step_s=[0.1] * 3))), summarise(build.rows(build.record()))
    assert (few.interval, few.interval_over) == (None, "none, n=1")
    assert (none.interval, none.interval_over) == (None, "")


def test_single_trial_keeps_its_interval_within_the_process(build):
    """With one trial the line is the row."""
    rows = build.rows(build.record(step_s=[0.1, 0.11] * 8))
    (cell,) = summarise(rows)
    assert cell.interval == rows[0].interval is not None
    assert cell.throughput_images_per_s == rows[0].throughput_images_per_s


def test_interval_always_holds_the_pooled_throughput(build):
    """One process that ran ten times as long pulls the pooled figure; it is never printed outside its bounds."""
    trials = [build.record(step_s=[0.1] * 8), build.record(step_s=[0.1001] * 8, seed=1)]
    trials.append(build.record(step_s=[0.2] * 2000, seed=2))
    trials += [build.record(step_s=[0.1 + seed / 10_000] * 8, seed=seed) for seed in range(3, 12)]
    (cell,) = summarise(build.rows(*trials))
    assert cell.interval is not None
    assert cell.interval.low <= cell.throughput_images_per_s <= cell.interval.high


def test_accuracy_is_mean_and_spread_over_seeds(build):
    """Repeats of a seed are averaged first: they train the same model and are no further sample."""
    seen = [(0, 0, 0.97), (0, 1, 0.99), (1, 0, 0.96)]
    trials = [build.record(seed=seed, repeat=repeat, accuracies=[value]) for seed, repeat, value in seen]
    (cell,) = summarise(build.rows(*trials))
    assert cell.test_accuracy == pytest.approx(0.97)
    assert cell.test_accuracy_sd == pytest.approx(0.02 / 2**0.5)
    assert cell.seeds == 2


def test_worst_status_wins_and_figures_come_from_the_good_trials(build):
    """A cell with one crash is an error, and the crash spoils no figure."""
    good = build.record(step_s=[0.1] * 8, first_step_s=2.0)
    bad = build.record(status="error", seed=1, step_s=[0.9] * 8, first_step_s=9.0)
    (cell,) = summarise(build.rows(good, bad))
    assert (cell.status, cell.ok, len(cell.counted)) == ("error", True, 1)
    assert cell.throughput_images_per_s == pytest.approx(2000)
    assert cell.first_step_s == 2.0


def test_memory_is_the_highest_and_first_step_the_median(build):
    """A peak is a peak; one cold cache does not make the first step."""
    sizes, first = [5, None, 7], [1.0, 9.0, 2.0]
    trials = [
        build.record(seed=seed, step_s=[0.1], peak_host_memory_bytes=size, first_step_s=first_s)
        for seed, (size, first_s) in enumerate(zip(sizes, first, strict=True))
    ]
    (cell,) = summarise(build.rows(*trials))
    assert (cell.peak_host_memory_bytes, cell.peak_device_memory_bytes, cell.first_step_s) == (7, None, 2.0)


def test_invalid_trials_give_no_figure(build):
    """Memory too is that of other settings than asked."""
    trial = build.record(status="invalid", step_s=[0.1] * 8, peak_host_memory_bytes=5, accuracies=[0.9])
    (cell,) = summarise(build.rows(trial))
    assert (cell.throughput_images_per_s, cell.peak_host_memory_bytes, cell.test_accuracy) == (None, None, None)
    assert not cell.ok


def test_cells_are_ordered_by_settings_not_by_time(build):
    """The shuffled order of the trials does not show: defaults first, batches rising."""
    asked = [{"engine": "fused"}, {"global_batch": 1000}, {"engine": "fused", "global_batch": 50}, {}, {"xla": True}]
    cells = [summary.cell.label for summary in summarise(build.rows(*map(build.record, asked)))]
    assert cells == ["default", "global_batch=1000", "xla", "global_batch=50 engine=fused", "engine=fused"]
