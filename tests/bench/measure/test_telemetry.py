"""Figures of GPUs from samples whose truth is worked out by hand."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pytest

from bench.measure.energy import Samples, Stretch, longest_stretch
from bench.measure.telemetry import GpuFigures, figures_of

POWER_CAP, HEAT, IDLE_CLOCKS = 0x4, 0x40, 0x1


class Window(NamedTuple):
    phase: str
    start_s: float
    window_s: float
    steps: int


def samples(end_s: float = 60.0, **columns: float | Callable[[float], float]) -> Samples:
    """Ten a second from 0 on; a column is a level or a function of the time."""
    at_s = np.arange(0, end_s + 0.05, 0.1)
    filled = {name: np.array([of(at) if callable(of) else of for at in at_s], float) for name, of in columns.items()}
    return Samples(at_s, filled)


def ramp_j(at_s: float) -> float:
    """The integral of a power that rises from 100 W by 10 W a second."""
    return 100 * at_s + 5 * at_s**2


STRETCH = Stretch(start_s=10.03, end_s=40.07, images=6_000, idle_share=0.01)
WINDOWS = [(10.0 + 0.5 * place, 0.5) for place in range(60)]


def figures(*gpus: Samples, stretch: Stretch | None = STRETCH) -> GpuFigures:
    return figures_of(gpus, WINDOWS, stretch)


def test_energy_is_what_the_counter_went_up_by() -> None:
    """Over 30.04 s of a power that rises by 10 W a second; images per joule follow from it."""
    truth = ramp_j(STRETCH.end_s) - ramp_j(STRETCH.start_s)
    found = figures(samples(energy_j=ramp_j, power_w=lambda at_s: 100 + 10 * at_s))
    assert found.energy_j == pytest.approx(truth, rel=1e-4)
    assert found.energy_integral_j == pytest.approx(truth, rel=1e-4)
    assert found.images_per_j == pytest.approx(6_000 / truth, rel=1e-4)
    assert found.energy_stretch_s == pytest.approx(30.04)
    assert found.notes == ()


def test_energy_of_several_gpus_is_their_sum() -> None:
    """Power too; one GPU that does not count its energy leaves the sum unknown."""
    one, other = samples(energy_j=ramp_j, power_w=200.0), samples(energy_j=lambda at_s: 50 * at_s, power_w=50.0)
    silent = samples(power_w=70.0)
    truth = ramp_j(STRETCH.end_s) - ramp_j(STRETCH.start_s) + 50 * STRETCH.seconds
    assert figures(one, other).energy_j == pytest.approx(truth, rel=1e-4)
    assert figures(one, other).power_w == pytest.approx(250.0)
    assert figures(one, silent).energy_j is None
    assert figures(one, silent).power_w == pytest.approx(270.0)


def test_counter_and_power_that_differ_are_both_told() -> None:
    """By more than 5 %; by less the counter alone counts."""
    by_ten = figures(samples(energy_j=lambda at_s: 100 * at_s, power_w=110.0))
    assert by_ten.notes == ("energy: the counter says 3,004 J, power over time 3,304 J",)
    assert figures(samples(energy_j=lambda at_s: 100 * at_s, power_w=104.0)).notes == ()


@pytest.mark.parametrize(
    "stretch", [None, Stretch(10, 19.9, 100, 0.0), Stretch(50, 61, 100, 0.0)], ids=["none", "short", "unsampled"]
)
def test_energy_that_is_not_known_is_empty(stretch: Stretch | None) -> None:
    """Under 10 s, or where samples end before the stretch does."""
    found = figures(samples(energy_j=ramp_j, power_w=100.0), stretch=stretch)
    assert (found.energy_j, found.energy_integral_j, found.images_per_j) == (None, None, None)


def test_counter_that_was_reset_tells_nothing() -> None:
    """As it does when the driver is loaded anew."""
    assert figures(samples(energy_j=lambda at_s: ramp_j(at_s if at_s < 20 else at_s - 20))).energy_j is None


def test_throttled_windows_are_counted_with_their_reasons() -> None:
    """30 % of the windows had their clocks taken by the power cap, some of these by heat too; idling is no throttle."""

    def reasons(at_s: float) -> float:
        return POWER_CAP | (HEAT if at_s < 13 else 0) if 10.2 < at_s < 18.8 else IDLE_CLOCKS

    found = figures(samples(event_reasons=reasons))
    assert found.throttled_windows == pytest.approx(18 / 60)
    assert found.notes == ("clocks throttled: power cap in 30 % of windows, heat (hardware) in 10 % of windows",)
    assert figures(samples(event_reasons=IDLE_CLOCKS)).throttled_windows == 0


def test_samples_that_end_early_are_no_proof_of_the_rest() -> None:
    """All windows that were seen were throttled; that half of them were not seen stands beside it."""
    found = figures(samples(end_s=25.0, event_reasons=POWER_CAP, power_w=100.0))
    assert found.throttled_windows == 1
    ends, throttled = found.notes
    assert ends == "telemetry ends 15 s before the last window does"
    assert throttled == "clocks throttled: power cap in 100 % of windows"


def test_windows_of_a_clock_that_stands_still_have_no_stretch_to_divide_by() -> None:
    """A damaged file may say anything; nothing is raised."""
    assert longest_stretch([Window("window", 1e18, 0.2, 1)], 200) == Stretch(1e18, 1e18, 200, 0.0)


def test_what_is_not_told_is_empty() -> None:
    """A card that tells of its clocks only has no other figure, and none of them is 0."""
    found = figures(samples(sm_clock_mhz=1980.0))
    assert found.sm_clock_mhz == 1980
    rest = {name: value for name, value in vars(found).items() if name not in {"sm_clock_mhz", "notes"}}
    assert [name for name, value in rest.items() if value not in (None, ())] == []
    assert figures_of([], WINDOWS, STRETCH) == GpuFigures()
    assert figures_of([samples()], [], STRETCH) == GpuFigures()


def test_means_are_over_the_windows_only() -> None:
    """What a GPU did before the first and after the last counted window is not in them; the p95 is over samples."""
    found = figures(samples(utilisation=lambda at_s: 0.9 if 10 <= at_s <= 40 else 0.0, memory_used_bytes=2.0**33))
    assert found.utilisation_mean == pytest.approx(0.9)
    assert found.utilisation_p95 == pytest.approx(0.9)
    assert found.nvml_peak_memory_bytes == 2**33


def test_one_idle_gpu_of_several_is_not_hidden_by_their_mean() -> None:
    """The note is of the one that was used least."""
    (note,) = figures(samples(utilisation=0.97), samples(utilisation=0.04)).notes
    assert note.startswith("suspicious: a GPU was used 4 % of the time")


def test_windows_that_were_throttled_are_named() -> None:
    """By their numbers among the steady ones, from 1: the heat lasts from the third second to the fifth."""
    found = figures(samples(event_reasons=lambda at_s: HEAT if 12.2 < at_s < 14.3 else 0))
    assert found.throttled_window_numbers == (5, 6, 7, 8, 9)


def test_idle_gpu_makes_a_figure_suspicious() -> None:
    """Below half; the note says how idle."""
    (note,) = figures(samples(utilisation=0.31)).notes
    assert note == "suspicious: the GPU was used 31 % of the time, so the figure is not what it can do"
    assert figures(samples(utilisation=0.5)).notes == ()


def test_errors_are_those_of_the_windows() -> None:
    """The counter stood at 3 before; two came while training."""
    assert figures(samples(ecc_errors=lambda at_s: 3 + 2 * (at_s > 20))).ecc_errors == 2


def test_longest_stretch_ends_at_what_lies_between() -> None:
    """A run-in, and with it an evaluation, parts two stretches; the time between windows is idle."""
    windows = [
        Window("first_step", 0.0, 3.0, 1),
        Window("window", 4.0, 1.0, 10),
        Window("window", 5.0, 1.0, 10),
        Window("run_in", 7.0, 1.0, 3),
        Window("window", 8.0, 1.0, 10),
        Window("window", 9.5, 1.0, 10),
        Window("window", 10.5, 1.5, 15),
    ]
    assert longest_stretch(windows, 200) == Stretch(8.0, 12.0, 7_000, pytest.approx(0.125))
    assert longest_stretch(windows[:1], 200) is None
    assert longest_stretch([], 200) is None


def test_missing_samples_within_are_bridged() -> None:
    """NaN is a reading that was not given: neighbours tell of the time between."""
    gap: Mapping[str, float | Callable[[float], float]] = {
        "energy_j": lambda at_s: math.nan if 15 < at_s < 16 else 100 * at_s
    }
    assert figures(samples(**gap)).energy_j == pytest.approx(100 * STRETCH.seconds)


def test_traffic_is_a_mean_over_the_steady_windows() -> None:
    """PCIe tells rates, NVLink counts; of several GPUs the traffic adds up, and one that tells none leaves it open."""

    def counted(at_s: float) -> float:
        return 5e9 + 300 * at_s if abs(at_s - round(at_s)) < 0.01 else math.nan

    one = samples(pcie_tx_bytes_per_s=lambda at_s: 10 * at_s, pcie_rx_bytes_per_s=7.0, nvlink_tx_bytes=counted)
    found = figures(one)
    assert found.pcie_tx_bytes_per_s == pytest.approx(250.0)
    assert found.nvlink_tx_bytes_per_s == pytest.approx(300.0)
    assert found.nvlink_rx_bytes_per_s is None
    assert figures(one, one).pcie_rx_bytes_per_s == pytest.approx(14.0)
    assert figures(one, samples(power_w=1.0)).pcie_rx_bytes_per_s is None
    wrapped = samples(nvlink_tx_bytes=lambda at_s: at_s if at_s < 20 else at_s - 20)
    assert figures(wrapped).nvlink_tx_bytes_per_s is None
