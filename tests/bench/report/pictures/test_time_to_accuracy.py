"""The picture of seconds to the target accuracy."""

import pytest

from bench.report.pictures.time_to_accuracy import plot_time_to_accuracy
from tests.bench.report.conftest import EFFECTIVE


@pytest.fixture
def trained(build):
    """A trial whose epoch n is evaluated 20 n seconds after it began."""

    def make(cell, *accuracies, **rest):
        windows = build.windows([0.1] * 8, first_step_s=1.0)
        return build.record(cell, accuracies=accuracies, windows=windows, effective=EFFECTIVE, **rest)

    return make


def test_seconds_and_who_did_not_get_there(texts, trained):
    """The cell that reached it with its seconds; the others by name with how far they came."""
    shown = texts(plot_time_to_accuracy, trained({}, 0.98, 0.991), trained({"xla": True}, 0.97, 0.98))
    assert "99 % test accuracy: epochs=2, 40.0 s" in shown
    assert {"epochs=2", "seconds to the target", "0"} <= set(shown)
    assert "Not drawn: xla (not reached: 98.00 % at best)." in " ".join(shown)


def test_nobody_there_is_no_picture(texts, trained):
    """A target that no trial reached leaves nothing to draw."""
    assert texts(plot_time_to_accuracy, trained({}, 0.98)) is None


def test_single_trials_are_not_ranked(texts, trained):
    """A title claims no first cell that the trials do not show."""
    shown = " ".join(texts(plot_time_to_accuracy, trained({}, 0.991), trained({"xla": True}, 0.98, 0.991)))
    assert "99 % test accuracy after 20.0 to 40.0 s: no ranking" in shown


def test_the_first_is_named_where_its_slowest_is_before_the_others(texts, trained):
    """With three trials each; one slow trial of the first, and nobody is."""
    slow = [trained({"xla": True}, 0.98, 0.98, 0.991, seed=seed) for seed in range(3)]
    fast = [trained({}, 0.98, 0.991, 0.992, seed=seed) for seed in range(3)]
    late = trained({}, 0.98, 0.98, 0.991, seed=3)
    assert "99 % test accuracy first: default, 40.0 s" in texts(plot_time_to_accuracy, *fast, *slow)
    assert "no ranking" in " ".join(texts(plot_time_to_accuracy, *fast, late, *slow))


def test_trials_that_missed_it_are_counted(texts, trained):
    """A median of those that reached it alone would pass for that of all."""
    cells = [trained({}, 0.991), trained({}, 0.98, seed=1), trained({"xla": True}, 0.991)]
    shown = " ".join(texts(plot_time_to_accuracy, *cells))
    assert "default (1/2)" in shown
    assert "Hollow: k/n of the trials reached it" in shown


def test_a_cell_that_missed_it_once_does_not_lead(texts, trained):
    """However fast its lucky trial was: it stands below those that always got there, and no title builds on it."""
    lucky = [trained({"xla": True}, 0.991), trained({"xla": True}, 0.98, seed=1)]
    shown = texts(plot_time_to_accuracy, *lucky, trained({}, 0.98, 0.991), trained({}, 0.98, 0.991, seed=1))
    assert "99 % test accuracy after 40.0 s: no ranking" in shown
    assert shown.index("epochs=2") < shown.index("xla (1/2)")
