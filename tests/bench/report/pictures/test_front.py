"""The Pareto front of speed and accuracy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.pictures.accuracy import plot_accuracy
from bench.report.pictures.front import stairs

STEADY = [0.099, 0.099, 0.101, 0.101] * 4


def test_stairs_lead_from_the_left_over_the_best_to_the_bottom():
    """A point behind another in both figures is no corner."""
    points = [(1.0, 5.0), (3.0, 2.0), (2.0, 3.0), (1.5, 1.0)]
    assert stairs(points, 0.0, 0.5) == [(0, 5), (1, 5), (1, 3), (2, 3), (2, 2), (3, 2), (3, 0.5)]


@given(st.lists(st.tuples(st.floats(1, 10), st.floats(1, 10)), min_size=1, max_size=12))
def test_corners_are_the_points_that_none_exceeds(points):
    """Compared with every pair of points by itself."""
    best = {
        one for one in points if not any(other[0] >= one[0] and other[1] >= one[1] and other != one for other in points)
    }
    assert set(stairs(points, 0.0, 0.0)) & set(points) >= best
    assert list(stairs(points, 0.0, 0.0)[1::2]) == sorted(best)


@pytest.fixture
def seeds(build):
    """Three seeds of a cell, each so many times as long a step as the default's, with accuracies around one."""

    def make(cell, times, accuracy):
        return [
            build.record(
                cell,
                seed=seed,
                step_s=[times * (1 + 0.001 * seed) * step_s for step_s in STEADY],
                accuracies=[accuracy + 0.0005 * seed],
            )
            for seed in range(3)
        ]

    return make


def test_a_cell_behind_in_both_is_hollow_and_the_front_is_told(seeds, texts):
    """Three seeds each, speeds and accuracies apart: the front can be drawn."""
    shown = " ".join(texts(plot_accuracy, *seeds({}, 1, 0.99), *seeds({"xla": True}, 1.5, 0.97)))
    assert "Hollow: beaten by another cell in both speed and accuracy" in shown
    assert "Dashed: the front." in shown


def test_where_nothing_is_shown_to_be_behind_there_is_no_front(build, seeds, texts):
    """Of one seed each nobody knows which is the more accurate; the picture says why there is no front."""
    single = [
        build.record(step_s=STEADY, accuracies=[0.99]),
        build.record({"xla": True}, step_s=[0.15] * 8, accuracies=[0.9]),
    ]
    for records in (single, [*seeds({}, 1, 0.98), *seeds({"xla": True}, 1.5, 0.99)]):
        shown = " ".join(texts(plot_accuracy, *records))
        assert "No front: no cell is shown to be beaten in both speed and accuracy" in shown
        assert "Hollow" not in shown
