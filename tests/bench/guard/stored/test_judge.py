"""Verdicts on the figures of a run, and the runs that are no ground for one."""

import math

import pytest

from bench.guard.stored.ground import ground_of
from bench.guard.stored.judge import ACCURACY, MEMORY, THROUGHPUT, Margins, judge
from tests.bench.guard.stored.conftest import WOBBLE, baseline, cell_figures, figures

MIB = 2**20


def verdict_on(one, others, figure=THROUGHPUT):
    (found,) = [judged for judged in judge(figures(9, one), others, Margins()) if judged.figure is figure]
    return found


@pytest.mark.parametrize(
    ("throughput", "verdict"),
    [(900, "regressed"), (1100, "improved"), (1002, "unchanged"), (975, "inconclusive"), (1024, "inconclusive")],
)
def test_throughput_is_judged_by_its_ratio(throughput, verdict):
    """Five runs around 1,000 that differ by 0.16 % show a change of 2 % and some noise."""
    assert verdict_on(cell_figures(throughput), baseline()).verdict == verdict


def test_change_and_interval_by_hand():
    """1,100 against five at 1,000: the floor of 0.2 % times √1.2 times t = 2.776 on the logarithm about +10 %."""
    found = verdict_on(cell_figures(1100), [figures(number, cell_figures(1000)) for number in range(5)])
    reach = 2.776445 * 0.002 * math.sqrt(1.2)
    assert found.change == pytest.approx(0.1)
    assert (found.interval.low, found.interval.high) == pytest.approx(
        (1.1 * math.exp(-reach) - 1, 1.1 * math.exp(reach) - 1), rel=1e-5
    )
    assert found.baseline == pytest.approx(1000)
    assert found.spread == 0.002
    assert found.shows == pytest.approx(1 - math.exp(-reach) / 1.02, rel=1e-5)


def test_four_runs_are_no_baseline():
    """It says how many there are."""
    found = verdict_on(cell_figures(500), baseline()[:4])
    assert found.verdict == "not comparable"
    assert "takes 5 baseline runs that measured it, there are 4" in found.reason


def test_noise_of_a_single_baseline_run_hides_a_change():
    """The spread between runs is the noise: with one run a quarter off, 10 % slower is not certain."""
    noisy = [*baseline()[:4], figures(4, cell_figures(1250))]
    found = verdict_on(cell_figures(900), noisy)
    assert found.verdict == "inconclusive"
    assert "spread between runs hides it" in found.reason
    assert found.shows > 0.2


@pytest.mark.parametrize("status", ["oom", "nan", "timeout", "error", "invalid"])
def test_failure_where_the_baseline_did_not_fail_is_invalid(status):
    """Whatever its figures were; a cell that the baseline lacks is only not comparable."""
    failed = cell_figures(None, status=status, processes=0)
    assert verdict_on(failed, baseline()).verdict == "invalid"
    assert status in verdict_on(failed, baseline()).reason
    assert verdict_on(failed, []).verdict == "not comparable"


@pytest.mark.parametrize("status", ["unsupported", "skipped", "interrupted"])
def test_what_did_not_run_is_not_comparable(status):
    """It says nothing about its cell."""
    assert verdict_on(cell_figures(None, status=status, processes=0), baseline()).verdict == "not comparable"


def test_more_memory_is_worse():
    """10 % more regresses, 10 % less improves, 1 % is nothing; on a GPU it is the device's."""
    others = baseline(peak_host_memory_bytes=1000 * MIB)
    for size, verdict in ((1100, "regressed"), (900, "improved"), (1010, "unchanged")):
        found = verdict_on(cell_figures(peak_host_memory_bytes=size * MIB), others, MEMORY)
        assert found.verdict == verdict
        assert found.change == pytest.approx(size / 1000 - 1)
        assert found.interval.low < found.change < found.interval.high
        assert found.baseline == pytest.approx(1000 * MIB)
    gpu = {"device": "gpu"}
    others = baseline(cell=gpu, peak_host_memory_bytes=MIB, peak_device_memory_bytes=100 * MIB)
    one = cell_figures(cell=gpu, peak_host_memory_bytes=9 * MIB, peak_device_memory_bytes=100 * MIB)
    assert verdict_on(one, others, MEMORY).verdict == "unchanged"


@pytest.mark.parametrize(
    ("accuracy", "verdict"),
    [(0.97, "regressed"), (0.9895, "unchanged"), (0.9999, "unchanged"), (0.9802, "inconclusive")],
)
def test_accuracy_must_not_be_worse_by_a_point(accuracy, verdict):
    """Five runs of 99 %: two points less regress, half a tenth is nothing, about one is not certain."""
    others = [figures(number, cell_figures(test_accuracy=0.99, seeds=[number])) for number in range(5)]
    assert verdict_on(cell_figures(test_accuracy=accuracy, seeds=[0]), others, ACCURACY).verdict == verdict


def test_accuracy_that_only_one_side_has_is_no_failure():
    """A time budget may have ended the one before its evaluation: nothing is said of it."""
    others = [figures(number, cell_figures(test_accuracy=0.99, seeds=[0])) for number in range(5)]
    assert verdict_on(cell_figures(), others, ACCURACY).verdict == "not comparable"
    assert [one.figure for one in judge(figures(9, cell_figures()), baseline(), Margins())] == [THROUGHPUT]


def test_a_run_of_one_process_is_held_to_runs_of_many_with_more_noise():
    """Against nine processes a run it may vary three times as much."""
    many = baseline(processes=9)
    one, nine = (verdict_on(cell_figures(965, processes=count), many) for count in (1, 9))
    assert one.interval.high - one.interval.low > 2 * (nine.interval.high - nine.interval.low)
    assert (one.verdict, nine.verdict) == ("inconclusive", "regressed")


def test_margins_are_the_users():
    """10 % slower is nothing where 20 % are allowed."""
    (found,) = judge(figures(9, cell_figures(900)), baseline(), Margins(throughput=0.2))
    assert found.verdict == "unchanged"


def test_many_cells_take_more_proof():
    """A cell that is just beyond its margin alone is not one among forty; the reason says so."""
    cells = [{"global_batch": 100 + number} for number in range(40)]
    others = [figures(n, *(cell_figures(1000 * WOBBLE[n], cell=cell) for cell in cells)) for n in range(5)]
    run = figures(9, cell_figures(970, cell=cells[0]), *(cell_figures(1000, cell=cell) for cell in cells[1:]))
    alone = figures(9, run.cells[0])
    assert judge(alone, others, Margins())[0].verdict == "regressed"
    found = judge(run, others, Margins())
    assert found[0].verdict == "inconclusive"
    assert "how many figures were looked at" in found[0].reason
    assert {one.verdict for one in found[1:]} == {"unchanged"}


def test_a_run_is_never_its_own_baseline():
    """Neither does a run count twice that is named twice."""
    run, others = figures(9, cell_figures()), baseline()
    ground = ground_of(run, [*others, run, others[0]], other_code=False)
    assert len(ground.runs) == 5
    assert "2 of 7 baseline runs are this very run, or given twice" in ground.told[0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"exact_unit": "f" * 16}, "not of this exact unit"),
        ({"data_sha256": "ab"}, "stale: of another data set"),
        ({"code_sha256": "ab"}, "--other-code takes them"),
        ({"code_sha256": None}, "not known of which"),
    ],
)
def test_what_is_no_ground_is_left_out_and_told(change, told):
    """Another unit, other data, other code, or code that nobody knows."""
    others = [one.model_copy(update=change) for one in baseline()]
    ground = ground_of(figures(9, cell_figures()), others, other_code=False)
    assert ground.runs == []
    assert told in ground.told[0]


def test_other_code_counts_where_it_is_asked_for():
    """Never another unit or other data; that the verdict is on the code too is told."""
    others = [*baseline(), figures(7, cell_figures(), code_sha256=None), figures(8, cell_figures(), data_sha256="ab")]
    ground = ground_of(figures(9, cell_figures()), others, other_code=True)
    assert len(ground.runs) == 6
    assert any("kept; a change may come from" in line for line in ground.told)


def test_a_run_that_does_not_know_its_own_code_has_no_ground():
    """Unknown is not the same as unknown."""
    run = figures(9, cell_figures(), code_sha256=None)
    others = [one.model_copy(update={"code_sha256": None}) for one in baseline()]
    assert ground_of(run, others, other_code=False).runs == []
