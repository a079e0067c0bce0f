"""That marks and labels do not hide each other."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.pictures.geometry import Box, place_labels, side_by_side, spaced


def test_equal_batches_of_a_star_stand_apart_near_their_batch():
    """Nine series at batch 200 have nine places, all nearer to 200 than to 100 or 400."""
    batches = [[50, 100, 200, 400], *([200] for _ in range(8))]
    drawn = side_by_side(batches)
    assert drawn[0] == pytest.approx([50, 100, 200, 400])
    at_200 = sorted([drawn[0][2], *(xs[0] for xs in drawn[1:])])
    gaps = [math.log2(right / left) for left, right in itertools.pairwise(at_200)]
    assert gaps == pytest.approx([gaps[0]] * 8)
    assert at_200[0] > 100 * 2**0.5
    assert at_200[-1] < 400 / 2**0.5


def test_single_series_is_drawn_where_it_is():
    """Nothing moves without a reason."""
    assert side_by_side([[1, 8, 1000]]) == [pytest.approx([1, 8, 1000])]
    assert side_by_side([]) == []


@given(st.lists(st.lists(st.integers(1, 10_000), min_size=1, max_size=5, unique=True), min_size=1, max_size=20))
def test_neighbouring_batches_never_mix(batches):
    """However many series there are, the marks of a lower batch stand left of those of a higher one."""
    drawn = side_by_side(batches)
    pairs = sorted(
        (batch, x) for series, xs in zip(batches, drawn, strict=True) for batch, x in zip(series, xs, strict=True)
    )
    for (low, left), (high, right) in itertools.pairwise(pairs):
        assert low == high or left < right


def overlap(one, other):
    """The common area."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.top, other.top) - max(one.bottom, other.bottom)
    return max(width, 0) * max(height, 0)


def test_twenty_labels_of_one_place_do_not_overlap():
    """Cells of the same speed and accuracy can still be told apart."""
    area = Box(0, 0, 1000, 600)
    mark = Box(495, 295, 505, 305)
    boxes = place_labels([(500, 300)] * 20, [(120, 14)] * 20, area, [mark])
    assert all(box.within(area) and not overlap(box, mark) for box in boxes)
    assert all(not overlap(one, other) for one, other in itertools.combinations(boxes, 2))


def test_label_at_the_edge_stays_in_the_picture():
    """The fastest cell stands at the right; its name goes to the left of it."""
    (box,) = place_labels([(995, 300)], [(120, 14)], Box(0, 0, 1000, 600), [])
    assert box.right <= 995


def test_tick_labels_keep_their_distance():
    """Of batches that are too near each other only the first has its number."""
    assert spaced([0.0, 0.1, 0.5, 0.55, 1.0], 0.4) == [0, 2, 4]
    assert spaced([], 1.0) == []


def test_distance_is_to_the_nearest_side():
    """A leading line ends where the label begins."""
    box = Box(10, 10, 20, 20)
    assert (box.nearest((0, 15)), box.distance((0, 15)), box.distance((15, 15))) == ((10, 15), 10, 0)
