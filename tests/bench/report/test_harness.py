"""What the harness cost, as every report says it."""

from bench.report.harness import harness_remark
from bench.store.record import HarnessCost

STEADY = [0.1] * 8


def cost(**rest):
    """In 10 s the parent used 20 ms and the watchdog 4 ms: 0.24 % of one CPU's time, of however many there are."""
    told = {"span_s": 10.0, "cpus": 2, "parent_cpu_s": 0.02, "watchdog_cpu_s": 0.004, "exchanged_bytes": 488}
    return HarnessCost(**(told | rest))


def test_costs_by_hand(build):
    """Eight windows of 1 s each, the next 0.5 ms after each, exchanged 488 bytes."""
    windows = build.windows(STEADY)
    apart = [window.model_copy(update={"start_s": 100 + 1.0005 * number}) for number, window in enumerate(windows)]
    rows = build.rows(build.record(windows=apart, harness=cost()))
    assert harness_remark(rows) == (
        "Harness, at most: 0.24 % of a CPU's time (parent and watchdog), 0.05 % between windows, together 0.29 % of "
        "a trial's throughput, 61 bytes a window; not corrected for."
    )


def test_lost_throughput_is_that_of_one_trial(build):
    """Of 0.24 % and 0.05 % in one, 2 % and nothing in the other the most is 2 %; of no gaps nothing is added up."""
    windows = build.windows(STEADY)
    apart = [window.model_copy(update={"start_s": 100 + 1.0005 * number}) for number, window in enumerate(windows)]
    rows = build.rows(
        build.record(windows=apart, harness=cost()),
        build.record(step_s=STEADY, seed=1, harness=cost(parent_cpu_s=0.196)),
    )
    remark, alone = harness_remark(rows), harness_remark(build.rows(build.record(step_s=[0.1], harness=cost())))
    assert "0.05 % between windows, together 2.00 % of a trial's throughput" in remark
    assert "throughput" not in alone


def test_highest_cost_of_any_trial_is_told(build):
    """Each figure is the highest, of whichever trial; trials that recorded nothing do not count."""
    rows = build.rows(
        build.record(step_s=STEADY, harness=cost(parent_cpu_s=0.196)),
        build.record(step_s=STEADY, seed=1, harness=cost(exchanged_bytes=8000)),
        build.record(step_s=STEADY, seed=2),
    )
    remark = harness_remark(rows)
    assert "2.00 % of a CPU's time" in remark
    assert "1,000 bytes a window" in remark


def test_nothing_is_said_where_nothing_was_recorded(build):
    """Runs of older workers have no remark rather than a cost of nothing."""
    assert harness_remark(build.rows(build.record(step_s=STEADY))) == ""
    assert harness_remark([]) == ""


def test_untold_watchdog_is_not_taken_for_free(build):
    """Where one trial does not know what its watchdog took, the remark says so."""
    rows = build.rows(build.record(step_s=STEADY, harness=cost(watchdog_cpu_s=None)))
    assert "0.20 % of a CPU's time (parent, and watchdog where measured)" in harness_remark(rows)


def test_first_step_is_no_window_that_was_asked_for(build):
    """The bytes are counted from the end of the first step; run-ins are windows that were asked for."""
    windows = build.windows(STEADY, first_step_s=2.0)
    windows[1] = windows[1].model_copy(update={"phase": "run_in"})
    remark = harness_remark(build.rows(build.record(windows=windows, harness=cost(exchanged_bytes=800))))
    assert "100 bytes a window" in remark


def test_what_does_not_follow_has_no_time_between(build):
    """A single window, as of a budget that ended, leaves out what it cannot say."""
    remark = harness_remark(build.rows(build.record(step_s=[0.1], harness=cost())))
    assert "between windows" not in remark
    assert "488 bytes a window" in remark
