"""The stopping rule looks four times, at fixed moments, and says why it stops."""

import numpy as np
import pytest

from bench.measure.statistics import Interval, steady_from, throughput_interval
from bench.measure.stopping import LOOKS, alpha_of, alpha_of_a_look, verdict, window_steps
from bench.trial import StoppedBy

LOUD = [1.0, 1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0]


def test_four_looks_share_five_percent() -> None:
    """Each of the looks at 32, 64, 128 and 256 windows may err with 1.25 %."""
    assert LOOKS == (32, 64, 128, 256)
    assert alpha_of_a_look() == pytest.approx(0.0125)


@pytest.mark.parametrize("stopped_by", ["target", "last_look", "budget", None])
def test_an_interval_after_looks_errs_as_a_look(stopped_by: StoppedBy | None) -> None:
    """A target, the last look, a budget and a failure end measuring at a moment that nobody fixed."""
    assert alpha_of(stopped_by, 200) == alpha_of_a_look()


def test_an_interval_of_epochs_has_the_whole_error() -> None:
    """Epochs fix the number of windows beforehand, and nothing looks at them; of few it is that of a look."""
    assert alpha_of("epochs", 64) == pytest.approx(0.05)
    assert alpha_of("epochs", 63) == alpha_of_a_look()


def test_few_windows_of_a_fixed_number_do_not_deceive() -> None:
    """Of 1,000 series of 32 windows with φ = 0.9 930 intervals hold the truth; at the 5 % that 64 have, too few."""
    rng = np.random.default_rng(3)
    normal = rng.standard_normal((1000, 32))
    for index in range(1, 32):
        normal[:, index] = 0.9 * normal[:, index - 1] + np.sqrt(1 - 0.9**2) * normal[:, index]
    held = dict.fromkeys((alpha_of("epochs", 32), alpha_of("epochs", 64)), 0)
    for series in np.exp(0.17 * normal - 0.17**2 / 2):
        steady = series[steady_from(series) :]
        for alpha in held:
            interval = throughput_interval([1] * len(steady), steady, 1, alpha)
            held[alpha] += interval is not None and interval.low <= 1 <= interval.high
    few, enough = held.values()
    assert few >= 930 > enough


def test_stopping_at_the_target_does_not_deceive() -> None:
    """Of 300 series with φ = 0.9 and CV 3 %, where chance often looks like certainty, 279 intervals hold the truth.

    Each goes by the rule to where it stops, plus the window that was queued; by the means of eight batches 194 did.
    """
    rng = np.random.default_rng(3)
    step_s = rng.standard_normal((300, LOOKS[-1] + 1))
    for index in range(1, LOOKS[-1] + 1):
        step_s[:, index] = 0.9 * step_s[:, index - 1] + np.sqrt(1 - 0.9**2) * step_s[:, index]
    held = 0
    for series in 0.2 * (1 + 0.03 * step_s):
        look, reason = next((n, why) for n in LOOKS if (why := verdict([1] * n, series[:n], 0.03)))
        steady = series[steady_from(series[: look + 1]) : look + 1]
        interval = throughput_interval([1] * len(steady), steady, 1, alpha_of(reason, len(steady)))
        held += interval is not None and interval.low <= 5 <= interval.high
    assert held >= 0.93 * 300


def test_only_the_looks_can_stop() -> None:
    """However certain the windows are, only at a look is there a verdict."""
    verdicts = {count: verdict([10] * count, [0.2] * count, 0.03) for count in range(300)}
    assert {count: word for count, word in verdicts.items() if word} == dict.fromkeys(LOOKS, "target")


def test_uncertain_windows_go_on_until_the_last_look() -> None:
    """Windows that differ threefold stop for no target before the last look, which ends it in any case."""
    verdicts = [verdict([10] * count, [LOUD[index * 8 // count] for index in range(count)], 0.03) for count in LOOKS]
    assert verdicts == [None, None, None, "last_look"]


def test_target_at_the_last_look_is_told_as_target() -> None:
    """Being content counts more than having to stop."""
    assert verdict([10] * 256, [0.2] * 256, 0.03) == "target"


def test_target_is_the_half_width_at_the_error_of_a_look() -> None:
    """A target just over the interval's half width stops, one just under it does not."""
    seconds = [0.2 + 0.01 * ((3 * index + 3) % 7) for index in range(32)]
    assert steady_from(seconds) == 0
    interval = throughput_interval([10] * 32, seconds, 1, alpha_of_a_look())
    assert isinstance(interval, Interval)
    width = interval.half_width(320 / sum(seconds))
    assert 0 < width < 0.1
    assert verdict([10] * 32, seconds, width * 1.001) == "target"
    assert verdict([10] * 32, seconds, width * 0.999) is None


def test_warm_up_does_not_count() -> None:
    """Three slow windows at the beginning do not keep 29 steady ones from being certain."""
    seconds = [2.0, 1.5, 1.0] + [0.2, 0.201] * 14 + [0.2]
    assert throughput_interval([10] * 32, seconds, 1, alpha_of_a_look()) != throughput_interval(
        [10] * 29, seconds[3:], 1
    )
    assert verdict([10] * 32, seconds, 0.01) == "target"


@pytest.mark.parametrize(
    ("step_s", "buffered_batches", "steps"),
    [
        (0.03, 0, 7),  # 0.2 s are 6.7 steps
        (0.25, 0, 1),
        (60.0, 0, 1),
        (0.25, 2, 8),  # four times the buffered batches
        (0.03, 2, 8),
        (0.001, 2, 200),
        (0.0625, 0, 4),  # 3.2 steps
        (1.5e-6, 5, 133_334),
    ],
)
def test_window_length(step_s: float, buffered_batches: int, steps: int) -> None:
    """A window is as many steps as last 0.2 s, and four times as many as batches pile up in a pause."""
    assert window_steps(step_s, buffered_batches) == steps
