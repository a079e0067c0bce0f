"""What one trial's raw windows become."""

import csv
from pathlib import Path

import pytest

from bench.host import Conditions, HostPart
from bench.measure.roofline import Place
from bench.report.rows import row_of
from bench.store.record import HarnessCost
from bench.store.runs import RunWriter, read_run

REFERENCE = sorted((Path(__file__).parents[3] / "results" / "reference").iterdir())[0]
STEADY = [0.1] * 16
"""Sixteen windows of ten steps, a tenth of a second each: 2,000 images/s at batch 200."""


def test_throughput_is_images_over_seconds_of_windows_alone(build):
    """First step and run-in are in no figure of speed."""
    windows = build.windows(STEADY)
    untimed = [
        windows[0].model_copy(update={"phase": "first_step", "window_s": 50.0}),
        windows[0].model_copy(update={"phase": "run_in", "window_s": 50.0}),
    ]
    (row,) = build.rows(build.record(windows=untimed + windows))
    assert row.throughput_images_per_s == pytest.approx(2000)
    assert (row.steady_windows, row.warmup_windows) == (16, 0)
    assert row.training_s == pytest.approx(66)


def test_slow_first_windows_are_warm_up(build):
    """Windows before the step time settled do not count for throughput."""
    (row,) = build.rows(build.record(step_s=[0.5, 0.3, *STEADY]))
    assert row.throughput_images_per_s == pytest.approx(2000)
    assert (row.steady_windows, row.warmup_windows) == (16, 2)


def test_warm_up_that_moved_the_throughput_is_a_note(build):
    """Two of 18 windows, of 5 s and 3 s, left out: with them 3,600 ÷ 24 is 1,500 images/s, a quarter less."""
    (row,) = build.rows(build.record(step_s=[0.5, 0.3, *STEADY]))
    assert row.notes == ("warm-up: 2 of 18 windows left out; with them 1,500 images/s (-25.0 %)",)


def test_warm_up_that_made_no_odds_is_none(build):
    """One window of 1.1 s before 16 of 1 s moves it by 0.6 %, which is within what anybody reads from it."""
    (row,) = build.rows(build.record(step_s=[0.11, *STEADY]))
    assert (row.warmup_windows, row.notes) == (1, ())


def test_short_window_in_the_warm_up_is_measured_and_in_no_other_number(build):
    """`measured_windows` counts it; left out it is, but only whole windows are counted as warm-up."""
    windows = build.windows([0.5, 0.3, 0.3, *STEADY])
    windows[1] = windows[1].model_copy(update={"short": True})
    (row,) = build.rows(build.record(windows=windows))
    assert (row.measured_windows, row.warmup_windows, row.steady_windows) == (19, 2, 16)
    assert row.notes[0].startswith("warm-up: 3 of 19 windows left out; ")


def test_short_window_counts_for_throughput_but_not_for_quantiles(build):
    """The last window of an epoch may be short: its few steps say little about the step time."""
    windows = build.windows([*STEADY, 0.4])
    windows[-1] = windows[-1].model_copy(update={"short": True})
    (row,) = build.rows(build.record(windows=windows))
    assert row.throughput_images_per_s == pytest.approx(170 * 200 / 20)
    assert (row.step_s_p50, row.step_s_p99) == (pytest.approx(0.1), pytest.approx(0.1))


def test_invalid_trial_has_no_figure(build):
    """What ran with other settings than asked is not credited to the cell."""
    (row,) = build.rows(build.record(status="invalid", step_s=STEADY, accuracies=[0.98]))
    figures = [row.throughput_images_per_s, row.interval, row.step_s_p50, row.test_accuracy, row.test_loss]
    assert figures == [None] * 5


def test_accuracy_belongs_to_the_last_epoch_asked_for(build):
    """A trial that the budget stopped after one epoch of two has no accuracy to compare."""
    stopped = build.record({"epochs": 2}, step_s=STEADY, epochs=build.epochs(0.97), stopped_by="budget")
    whole = build.record({"epochs": 2}, step_s=STEADY, accuracies=[0.97, 0.98])
    assert [row.test_accuracy for row in build.rows(stopped, whole)] == [None, 0.98]


def test_unsupported_trial_has_only_its_reason(build):
    """Nothing that was not measured shows as a number."""
    (row,) = build.rows(build.record(status="unsupported", reason="no GPU here"))
    assert (row.throughput_images_per_s, row.training_s, row.evaluation_s) == (None, None, None)
    assert row.notes == ("no GPU here",)


def test_cpu_replicas_are_marked_functional(build):
    """Replicas that share cores say nothing about scaling, and the row says so."""
    (row,) = build.rows(build.record({"strategy": "mirrored", "replicas": 2}, step_s=STEADY))
    assert row.notes == ("functional, not scaling: the replicas share the same cores",)


WORK = {"training_flops_per_image": 50 * 10**6, "training_bytes_per_image": 10**6}


def test_mfu_follows_from_the_runs_own_ceilings(build):
    """2,000 images/s of 50 MFLOP each are half of the 200 GFLOP/s that matmul reached with the same two threads."""
    (row,) = build.rows(build.record(step_s=STEADY, **WORK), ceilings=build.ceilings())
    assert row.place.mfu == pytest.approx(0.5)
    assert row.place.operational_intensity_flops_per_byte == pytest.approx(50)
    assert (row.place.roof, row.place.roofline_share) == ("compute", pytest.approx(0.5))


def test_without_ceilings_mfu_stays_empty(build):
    """A run on a machine that was never measured, and one of an older worker, have no MFU rather than a guess."""
    (unmeasured,) = build.rows(build.record(step_s=STEADY, **WORK))
    (older,) = build.rows(build.record(step_s=STEADY), ceilings=build.ceilings())
    assert (unmeasured.place.mfu, unmeasured.place.roof) == (None, None)
    assert (older.place.mfu, older.place.training_flops_per_s) == (None, None)


def test_invalid_trial_has_no_place_under_the_roof(build):
    """What ran with other settings than asked says nothing about its cell's use of the machine."""
    (row,) = build.rows(build.record(status="invalid", step_s=STEADY, **WORK), ceilings=build.ceilings())
    assert row.place == Place()


def test_what_a_trial_suffered_is_a_note(build):
    """Of 100 s on two CPUs the trial itself used 110 CPU seconds of 180: 0.7 CPUs went to others."""
    before = Conditions(clock_s=0.0, cpus=2, busy_s=500.0, throttled_s=1.0)
    after = Conditions(clock_s=100.0, cpus=2, busy_s=680.0, throttled_s=4.2)
    flagged = build.record(conditions_before=before, conditions_after=after, worker_cpu_s=110.0)
    halved = build.record(conditions_before=before, worker_cpu_s=110.0)
    rows = build.rows(flagged, halved)
    assert rows[0].notes == (
        "other programs used 0.7 of 2 CPUs",
        "throttled by its cgroup: 0.03 CPUs stood still on average",
    )
    assert rows[1].notes == ()


def test_what_a_worker_used_before_the_conditions_were_read_hides_no_other_program(build):
    """Of 180 CPU seconds the trial used 169.4, with its watchdog, and the parent half of one: 0.1 CPUs are left.

    All that the worker used, its start included, would leave less than is told.
    """
    before, after = Conditions(clock_s=0.0, cpus=2, busy_s=500.0), Conditions(clock_s=100.0, cpus=2, busy_s=680.0)
    harness = HarnessCost(span_s=90.0, cpus=2, parent_cpu_s=0.5, watchdog_cpu_s=1.0, exchanged_bytes=488)
    whole = build.record(conditions_before=before, conditions_after=after, worker_cpu_s=172.0, harness=harness)
    told = whole.model_copy(update={"own_cpu_s": 169.4})
    assert [row.notes for row in build.rows(whole, told)] == [(), ("other programs used 0.1 of 2 CPUs",)]


def test_each_host_suffers_by_itself(build):
    """The one that others computed on is named; the parent's own CPU seconds are none of theirs."""
    before, after = Conditions(clock_s=0.0, cpus=2, busy_s=0.0), Conditions(clock_s=100.0, cpus=2, busy_s=180.0)
    parts = [HostPart(before=before, after=after, own_cpu_s=own_cpu_s) for own_cpu_s in (175.0, 110.0, None)]
    hosts = dict(zip(("n1", "n2", "n3"), parts, strict=True))
    (row,) = build.rows(build.record(conditions_before=before, conditions_after=after, hosts=hosts))
    assert row.notes == ("n2: other programs used 0.7 of 2 CPUs",)


@pytest.mark.parametrize(
    ("accuracies", "target", "expected_s"),
    [
        pytest.param([0.98, 0.991, 0.992], 0.99, 40, id="second epoch"),
        pytest.param([0.98, 0.991, 0.992], 0.992, 60, id="met exactly"),
        pytest.param([0.992, 0.98], 0.99, 20, id="lost again"),
        pytest.param([0.98, 0.985], 0.99, None, id="never"),
    ],
)
def test_time_to_accuracy_ends_with_the_evaluation_that_first_reached_it(build, accuracies, target, expected_s):
    """It begins with the first step; epoch n is evaluated 20 n seconds after that, in records made by hand."""
    windows = build.windows(STEADY, first_step_s=2.0)
    (row,) = build.rows(build.record(windows=windows, accuracies=accuracies), target=target)
    assert (row.target_accuracy, row.time_to_accuracy_s) == (target, expected_s)


def test_no_time_to_accuracy_where_there_is_nothing_to_time(build):
    """Settings not asked for, synthetic images, no evaluation, or an older file without its moment: all are empty."""
    windows = build.windows(STEADY, first_step_s=2.0)
    undated = [epoch.model_copy(update={"evaluate_start_s": None}) for epoch in build.epochs(0.999)]
    rows = build.rows(
        build.record(status="invalid", windows=windows, accuracies=[0.999]),
        build.record({"input": "synthetic"}, windows=windows, accuracies=[0.999]),
        build.record({"epochs": 0}, windows=windows),
        build.record(windows=windows, epochs=undated),
    )
    assert [(row.target_accuracy, row.time_to_accuracy_s) for row in rows] == [(None, None)] * 4


def test_run_of_schema_version_1_gives_the_figures_it_gave(tmp_path):
    """The kept reference run, written when windows were objects, still has the figures of its own table."""
    stored = read_run(REFERENCE)
    assert (stored.run.schema_version, stored.damage) == (1, [])
    with (REFERENCE / "report" / "trials.csv").open(newline="", encoding="utf-8") as stream:
        lines = {line["trial_id"]: line for line in csv.DictReader(stream)}
    assert len(stored.records) == len(lines) == 12
    for row in map(row_of, stored.records):
        line = lines[row.record.trial.trial_id]
        for name in ("throughput_images_per_s", "step_s_p50", "step_s_p99", "training_s", "test_accuracy"):
            told = float(line[name]) if line[name] else None
            assert getattr(row, name) == pytest.approx(told)
        assert row.steady_windows == int(line["steady_windows"] or 0)


def test_run_of_schema_version_1_written_again_is_the_same(tmp_path):
    """Objects and columns are two spellings of one record, from which the same rows are derived."""
    before, writer = read_run(REFERENCE), RunWriter(tmp_path)
    writer.write_run(before.run)
    for record in before.records:
        writer.append(record)
    after = read_run(tmp_path)
    assert (after.records, after.damage) == (before.records, [])
    assert '"windows":[' in (REFERENCE / "trials.jsonl").read_text()
    assert '"windows":[' not in (tmp_path / "trials.jsonl").read_text()
    for old, new in zip(map(row_of, before.records), map(row_of, after.records), strict=True):
        assert (new.throughput_images_per_s, new.interval) == (old.throughput_images_per_s, old.interval)
        assert (new.steady_windows, new.warmup_windows) == (old.steady_windows, old.warmup_windows)


def test_time_between_windows_is_of_those_that_follow_each_other(build):
    """Gaps of 10 and 30 ms after two windows of 1 s are 2 %; a run-in and an evaluation in between are no gap."""
    first, second, third, fourth, last = build.windows([0.1] * 5)
    windows = [
        first.model_copy(update={"start_s": 100.0}),
        second.model_copy(update={"start_s": 101.01}),
        third.model_copy(update={"start_s": 110.0, "phase": "run_in"}),
        fourth.model_copy(update={"start_s": 111.0}),
        last.model_copy(update={"start_s": 112.03}),
    ]
    (row,) = build.rows(build.record(windows=windows))
    assert row.gap_share == pytest.approx(0.02)


def test_no_time_between_windows_where_none_follows_another(build):
    """One window, none, and windows that each have a run-in before them: what was not measured is empty, never 0."""
    window, other = build.windows([0.1] * 2)
    apart = [window, other.model_copy(update={"phase": "run_in"}), other]
    records = [build.record(windows=windows) for windows in ([], [window], apart)]
    assert [row.gap_share for row in build.rows(*records)] == [None] * 3
