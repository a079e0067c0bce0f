"""From pairs of processes to verdicts, on pairs made by hand."""

import math
import random

import pytest

from bench.guard.live.metrics import (
    ASSUMED,
    disturbance_of,
    expected_of,
    failure_of,
    judge,
    log_ratio_of,
    undisturbed,
    worst,
)
from bench.guard.live.rule import Known
from bench.trial import Cell, Trial
from tests.bench.guard.live.pairs import pair_of, side_record


def verdicts(pairs, margin=0.02):
    return {one.name: one.verdict for one in judge(pairs, margin, Known(0.006))}


def test_ratio_of_a_pair_is_of_windows_beside_each_other():
    """A drift that both sides share, however large, cancels round by round."""
    drift = [0.1, 0.13, 0.07, 0.2]
    slower = [1.05 * step_s for step_s in drift]
    assert log_ratio_of(pair_of(a=side_record(*drift), b=side_record(*slower))) == pytest.approx(-math.log(1.05))


def test_one_disturbed_round_moves_a_pair_little():
    """Nine rounds alike and one twice as slow: the centre is theirs."""
    pair = pair_of(a=side_record(*[0.1] * 10), b=side_record(0.2, *[0.1] * 9))
    assert abs(log_ratio_of(pair)) < 1e-9


def test_rounds_say_how_much_pairs_will_differ():
    """A hundred rounds that differ by 10 % (normal) leave a pair 1 to 1.05 %, and its processes 0.6 % beside."""
    rng = random.Random(2)
    slow = [[0.1 * math.exp(rng.gauss(0, 0.1)) for _ in range(100)] for _ in range(30)]
    pairs = [pair_of(a=side_record(*[0.1] * 100), b=side_record(*some)) for some in slow]
    found = expected_of(pairs)
    assert found.sd == pytest.approx(math.hypot(0.1 / 10, 0.006), rel=0.06)
    assert found.freedom == ASSUMED.freedom
    assert expected_of([pair_of(a=side_record(*[0.1] * 9), b=side_record(*[0.1] * 9))]).sd == 0.006


def test_too_few_rounds_say_nothing_of_how_much_pairs_will_differ():
    """Four rounds have no interval, and sides in turn no rounds: what is assumed stands."""
    few, many = pair_of(), pair_of(mode="in turn", a=side_record(*[0.1] * 9), b=side_record(*[0.1] * 9))
    quiet = pair_of(a=side_record(*[0.1] * 9), b=side_record(*[0.1] * 9))
    assert [expected_of(pairs) for pairs in ([], [few], [many], [quiet, few])] == [ASSUMED] * 4


def test_processes_in_turn_need_no_equal_number_of_windows():
    """Where both sides never lived at once each has its own centre."""
    pair = pair_of(mode="in turn", a=side_record(*[0.1] * 7), b=side_record(*[0.11] * 5))
    assert log_ratio_of(pair) == pytest.approx(math.log(0.1 / 0.11))


def test_a_slow_side_is_found_and_its_twin_is_not():
    """Five percent is beyond a margin of two, nothing is within."""
    noise = [0.001, -0.001, 0.002, -0.002]
    assert verdicts([pair_of(-0.05 + one) for one in noise])["throughput"] == "regressed"
    assert verdicts([pair_of(one) for one in noise])["throughput"] == "unchanged"


def test_a_stall_that_few_windows_have_is_found_in_the_mean():
    """One window of ten takes twice as long: 0.1 ÷ 0.11 by all windows, and the centre leaves it out."""
    stalled = side_record(*[0.1] * 9, 0.2)
    pairs = [pair_of(a=side_record(*[0.1] * 10), b=stalled) for _ in range(4)]
    found = {one.name: one for one in judge(pairs, 0.02, Known(0.006))}
    throughput, mean = found["throughput"], found["mean throughput"]
    assert throughput.estimate.ratio[0] == pytest.approx(1)
    assert mean.estimate.ratio[0] == pytest.approx(10 / 11)
    assert (throughput.a, throughput.b, mean.a) == pytest.approx((1000, 1000, 1000))
    assert mean.b == pytest.approx(10_000 / 11)
    assert worst(list(found.values())) == "regressed"


@pytest.mark.parametrize("mode", ["interleaved", "in turn"])
def test_a_mean_is_of_the_images_of_each_side(mode):
    """Twice the batch in the same time is twice as fast, and and a window twice as long costs its tenth."""
    stalled = side_record(*[0.1] * 9, 0.2, trial=Trial(cell=Cell(global_batch=200, epochs=0)))
    pairs = [pair_of(a=side_record(*[0.1] * 10), b=stalled, mode=mode) for _ in range(4)]
    found = {one.name: one for one in judge(pairs, 0.02, Known(0.006))}
    assert found["mean throughput"].estimate.ratio[0] == pytest.approx(20 / 11)
    assert found["throughput"].estimate.ratio[0] == pytest.approx(2)


def mean_of(*log_ratios):
    """What comes of pairs whose windows agree but for B's last of ten, which makes its mean so much slower."""
    one = [0.1] * 10
    pairs = [pair_of(a=side_record(*one), b=side_record(*one[1:], math.exp(-log) - 0.9)) for log in log_ratios]
    return judge(pairs, 0.02, Known(0.006))


def test_a_noisy_mean_makes_nothing_unclear_and_nothing_better():
    """Spikes of the machine make it noisy: it is judged with what the others needed, but for one beyond the margin."""
    assert worst(mean_of(-0.06, 0.05, -0.06, 0.05)) == "unchanged"
    assert worst(mean_of(0.04, 0.04, 0.04, 0.04)) == "unchanged"
    assert worst(mean_of(-0.06, 0.01, -0.06, 0.01)) == "inconclusive"


def test_better_by_the_centre_and_worse_by_the_mean_is_worse():
    """Stalls that cost more than faster windows gain are no improvement."""
    faster = [0.09] * 9
    pairs = [pair_of(a=side_record(*[0.1] * 10), b=side_record(*faster, 0.5)) for _ in range(4)]
    assert {one.name: one.verdict for one in judge(pairs, 0.02, Known(0.006))}["throughput"] == "improved"
    assert worst(judge(pairs, 0.02, Known(0.006))) == "regressed"


def test_a_leak_is_found():
    """50 MiB more of 600 in every pair is a regression of host memory, and of nothing else."""
    leaking = side_record(peak_host_memory_bytes=650 * 2**20)
    found = verdicts([pair_of(b=leaking) for _ in range(4)])
    speeds = {"throughput": "unchanged", "mean throughput": "unchanged"}
    assert found == speeds | {"host memory": "regressed", "first step": "unchanged"}


def test_a_metric_that_some_pair_lacks_is_not_judged():
    """No verdict comes from fewer pairs than it says."""
    pairs = [pair_of() for _ in range(3)] + [pair_of(a=side_record(peak_host_memory_bytes=None))]
    assert "host memory" not in verdicts(pairs)


def test_other_programs_disturb_a_pair():
    """What used half a CPU beside both sides is told with its amount, and the pair does not count."""
    pair = pair_of(others_s=5.0)
    assert disturbance_of(pair) == ["other programs used 0.5 of 2 CPUs"]
    assert undisturbed([pair, pair_of()]) == [pair_of()]


def test_a_little_steal_is_shared_by_both_sides():
    """Sides that take turns share what the hypervisor takes; a tenth of all CPU time is too much."""
    for steal_s, told in ((1.0, []), (2.0, ["steal: 10 % of CPU time"])):
        pair = pair_of()
        after = pair.conditions_after.model_copy(update={"steal_s": steal_s})
        assert disturbance_of(pair.model_copy(update={"conditions_after": after})) == told


def test_a_side_that_fails_is_named():
    """The first that did not run to its end, and why; what never began for it is not blamed."""
    pair = pair_of(a=side_record(status="skipped"), b=side_record(status="oom", reason="no memory"))
    assert failure_of([pair_of(), pair]) == "B ended in oom: no memory"
    assert failure_of([pair_of()]) is None
