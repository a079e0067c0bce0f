"""Two runs joined by cell: which figures are compared, and what each interval is over."""

import math
from dataclasses import replace

import pytest

from bench.errors import UsageError
from bench.guard.stored.compare import compare, read_compared
from bench.guard.stored.comparison_table import devices_told
from tests.bench.guard.stored.conftest import trials
from tests.bench.report.conftest import EFFECTIVE, record

SHARED = EFFECTIVE.model_copy(update={"cpus": []})
MIRRORED = {"strategy": "mirrored", "replicas": 2}


@pytest.fixture
def compared(stored):
    """Compares two runs of these trials; further arguments are fields of the second run."""

    def make(one, other, first=None, **rest):
        runs = read_compared([stored("one", one, **(first or {})), stored("other", other, **rest)])
        return compare(*runs)

    return make


def test_ratio_is_that_of_the_other_to_the_reference(compared):
    """Twice the images/s is 2, with the interval that both windows allow, and called within-process."""
    (joined,) = compared(trials(1000), trials(2000)).joined
    ratio = joined.throughput
    assert ratio.value == pytest.approx(2, rel=1e-6)
    assert ratio.interval.low < 2 < ratio.interval.high
    assert ratio.over == "within-process, n=1 and 1"


def test_processes_count_where_both_sides_have_three(compared):
    """Then the interval is Welch's between processes: e^±0.1 about 1000 against nothing about 500."""
    one = [trials(1000 * math.exp(wobble), 1)[0] for wobble in (-0.1, 0.0, 0.1)]
    one = [process.model_copy(update={"trial": process.trial.model_copy(update={"repeat": place})})
           for place, process in enumerate(one)]  # fmt: skip
    (joined,) = compared(one, trials(500, 3)).joined
    assert joined.throughput.over == "processes, n=3 and 3"
    reach = 4.302653 * 0.1 / math.sqrt(3)
    assert joined.throughput.interval.high == pytest.approx(0.5 * math.exp(reach), rel=1e-3)
    assert joined.throughput.interval.low == pytest.approx(0.5 * math.exp(-reach), rel=1e-3)


@pytest.mark.parametrize(("processes", "windows"), [(2, 16), (1, 4)])
def test_too_few_processes_or_windows_have_no_interval(compared, processes, windows):
    """Two processes say nothing of a third, four windows little of a fifth: a ratio without bounds, which says so."""
    (joined,) = compared(trials(1000), trials(2000, processes, many=windows)).joined
    assert joined.throughput.interval is None
    assert joined.throughput.over == f"none, n=1 and {processes}"


def test_cells_join_by_all_settings(compared):
    """Another batch is another cell; what one run has alone is told, and so is what did not go well."""
    oom = record({"engine": "fit"}, status="oom")
    one = [*trials(1000), *trials(900, cell={"global_batch": 64}), oom]
    other = [*trials(1000), *trials(900, cell={"xla": True}), *trials(800, cell={"engine": "fit"})]
    found = compared(one, other)
    assert [joined.cell.label for joined in found.joined] == ["default"]
    assert [cell.cell.label for cell in found.only_reference] == ["global_batch=64"]
    assert [cell.cell.label for cell in found.only_other] == ["xla"]
    assert [(one.status, other.status) for one, other in found.unmeasured] == [("oom", "ok")]


def on(device, *batches):
    """Trials of one cell at each batch on a device."""
    return [one for batch in batches for one in trials(1000, cell={"device": device, "global_batch": batch})]


def test_a_gpu_joins_a_cpu_by_all_other_settings(compared):
    """What was measured on other hardware is what it is compared with; which, is told."""
    found = compared(on("cpu", 200, 64), on("gpu", 64, 800))
    assert [(one.reference.cell.device, one.other.cell.device) for one in found.joined] == [("cpu", "gpu")]
    assert found.joined[0].cell.global_batch == 64
    assert [one.cell.global_batch for one in found.only_reference] == [200]
    assert [one.cell.global_batch for one in found.only_other] == [800]
    assert devices_told(found).endswith("which is cpu in A, gpu in B.")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(on("gpu", 200) + on("cpu", 64), id="a cell is in both as it stands"),
        pytest.param(on("gpu", 200) + on("gpu:1", 200), id="two devices of one run fit"),
    ],
)
def test_devices_join_only_where_nothing_else_can_be_meant(compared, other):
    """Else a cell stays what it is: all its settings."""
    found = compared(on("cpu", 200, 64), other)
    assert all(one.reference.cell.device == one.other.cell.device for one in found.joined)
    assert devices_told(found) == ""


def test_memory_is_a_ratio_where_both_are_known(compared):
    """900 against 600 is 1.5; a side that was not measured gives none."""
    one = trials(1000, peak_host_memory_bytes=600, peak_device_memory_bytes=100)
    (joined,) = compared(one, trials(1000, peak_host_memory_bytes=900)).joined
    assert joined.host_memory == 1.5
    assert joined.device_memory is None


def test_accuracy_differs_in_points_and_time_to_it_is_a_ratio(compared):
    """0.98 to 0.991 are 1.1 points; the reference's target holds for both, reached after 40 and 20 s."""
    one, other = trials(1000, accuracies=[0.90, 0.98]), trials(1000, accuracies=[0.96, 0.991])
    (joined,) = compared(one, other, first={"target_accuracy": 0.95}, target_accuracy=0.5).joined
    assert joined.accuracy_points == pytest.approx(1.1)
    assert (joined.reference.time_to_accuracy_s, joined.other.time_to_accuracy_s) == (40, 20)
    assert joined.time_to_accuracy == 0.5


def test_accuracies_on_other_data_are_not_compared(compared):
    """Throughput is, what was learned is not."""
    found = compared(trials(1000, accuracies=[0.9]), trials(1000, accuracies=[0.8]), data_sha256="ab" * 32)
    assert not found.same_data
    assert found.joined[0].throughput.value == pytest.approx(1)
    assert found.joined[0].accuracy_points is None


def test_mean_is_geometric_and_holds_its_range(compared):
    """Twice and half as fast make 1, from 0.5 to 2, with an interval of these cells."""
    one = [*trials(1000), *trials(1000, cell={"engine": "fit"})]
    other = [*trials(2000), *trials(500, cell={"engine": "fit"})]
    mean = compared(one, other).mean
    assert mean.value == pytest.approx(1, rel=1e-6)
    assert (mean.lowest, mean.highest) == (pytest.approx(0.5, rel=1e-6), pytest.approx(2, rel=1e-6))
    assert mean.interval.low < 1 < mean.interval.high
    assert mean.cells == 2


def test_cells_without_interval_leave_the_mean_without_one(compared):
    """A second mean is over those that have one."""
    one = [*trials(1000), *trials(1000, cell={"engine": "fit"}, many=4)]
    found = compared(one, [*trials(2000), *trials(500, cell={"engine": "fit"})])
    assert found.mean.interval is None
    assert found.mean_of_known.cells == 1
    assert found.mean_of_known.value == pytest.approx(2, rel=1e-6)


def test_replicas_on_shared_cores_are_left_out_of_the_mean(compared):
    """They are no measure of speed."""
    one = [*trials(1000), *trials(1000, cell=MIRRORED, effective=SHARED)]
    found = compared(one, [*trials(2000), *trials(9000, cell=MIRRORED, effective=SHARED)])
    assert [joined.functional for joined in found.joined] == [False, True]
    assert found.mean.cells == 1


def test_no_cell_in_common_has_no_mean(compared):
    """Nothing is joined, and nothing is divided by nothing."""
    found = compared(trials(1000), trials(1000, cell={"engine": "fit"}))
    assert found.joined == ()
    assert found.mean is None
    assert found.mean_of_known is None


def test_the_same_run_twice_is_refused(stored):
    """By whatever path: it would agree with itself."""
    folder = stored("one", trials(1000))
    with pytest.raises(UsageError, match="the same run twice"):
        read_compared([folder, folder / ".." / "one"])


def test_more_runs_than_letters_are_refused(stored):
    """One line, before any is read."""
    with pytest.raises(UsageError, match="27 runs: compare at most 26"):
        read_compared([stored("one", [])] * 27)


def test_energy_is_compared_in_images_per_joule(stored):
    """Twice the images for a joule is 2; of a side without a counter nothing is said."""
    one, other = read_compared([stored("one", trials(1000)), stored("other", trials(1000))])

    def with_energy(run, images_per_j):
        return replace(run, cells=tuple(replace(cell, images_per_j=images_per_j) for cell in run.cells))

    assert compare(with_energy(one, 10.0), with_energy(other, 20.0)).joined[0].images_per_j == 2
    assert compare(with_energy(one, 10.0), other).joined[0].images_per_j is None
