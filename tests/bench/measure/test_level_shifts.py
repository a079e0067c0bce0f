"""Level shifts: planted ones are found where they are, noise has none, and one odd run is none."""

import math

import numpy as np
import pytest

from bench.measure.level_shifts import FALSE_ALARM, FEWEST, PENALTY, SHORTEST, drifts, level_shifts

SERIES = 2000


@pytest.mark.parametrize("count", [8, 12, 20, 35, 60])
def test_noise_has_a_shift_in_no_more_than_one_of_twenty_series(count):
    """Of 2,000 series of independent normal figures at most 5 % have one, with three standard errors of the count."""
    random = np.random.default_rng(count)
    marked = sum(bool(level_shifts(random.normal(100, 3, count).tolist(), 0.0)) for _ in range(SERIES))
    error = math.sqrt(FALSE_ALARM * (1 - FALSE_ALARM) / SERIES)
    assert marked / SERIES <= FALSE_ALARM + 3 * error


@pytest.mark.parametrize(("before", "after"), [(10, 10), (20, 10), (50, 10), (10, 0)])
def test_a_step_of_three_standard_deviations_is_found(before, after):
    """Ten figures three deviations off are found in 95 of 100 series, also where the level comes back after them."""
    random, found = np.random.default_rng(7), 0
    for _ in range(200):
        ends = 10 if after == 0 else 0
        values = random.normal(0, 1, before + 10 + ends)
        values[before : before + 10] += 3
        shifts = level_shifts(values.tolist(), 0)
        found += any(abs(shift.place - before) <= 2 and 1.5 < shift.size < 4.5 for shift in shifts)
    assert found >= 190


def least_cost(values, spread):
    """The best levels by trying all: the sum of squares of each, and the penalty for each after the first."""
    count, best = len(values), {0: (0.0, [])}
    for end in range(SHORTEST, count + 1):
        tried = []
        for start in range(end - SHORTEST + 1):
            if start in best:
                cost, bounds = best[start]
                part = np.asarray(values[start:end])
                own = float(((part - part.mean()) ** 2).sum()) / spread**2 + PENALTY * bool(start)
                tried.append((cost + own, [*bounds, end]))
        best[end] = min(tried)
    return best[count][1][:-1]


def test_levels_are_the_best_of_all():
    """The same places as a search through every division finds, where steps are clear."""
    random = np.random.default_rng(3)
    for _ in range(30):
        values = random.normal(0, 1, 40)
        for place in random.choice([8, 16, 24, 32], 2, replace=False):
            values[place:] += 6
        spread = math.sqrt(float(np.mean(np.diff(values) ** 2)) / 2)
        assert [shift.place for shift in level_shifts(values.tolist(), 0)] == least_cost(values, spread)


def test_interval_is_that_of_both_levels():
    """Ten figures around 100 and ten around 93 are a step of -7, and the interval holds it."""
    values = [100 + 0.5 * (-1) ** place for place in range(10)] + [93 + 0.5 * (-1) ** place for place in range(10)]
    (shift,) = level_shifts(values, 0)
    assert shift.place == 10
    assert shift.size == pytest.approx(-7)
    # each mean has the error 0.527 / √10, t of 18 degrees is 2.101
    assert shift.interval.high - shift.size == pytest.approx(2.101 * 0.527 * math.sqrt(2 / 10), rel=0.01)


@pytest.mark.parametrize("off", [10, 1000])
@pytest.mark.parametrize("place", [0, 1, 30, 149])
def test_one_odd_figure_is_no_level(off, place):
    """A single run that a neighbour disturbed, however much, is not a new level, the first and the last neither."""
    values = np.random.default_rng(11).normal(100, 1, 150)
    values[place] -= off
    assert level_shifts(values.tolist(), 0) == []


def test_what_is_less_than_the_floor_is_none():
    """Figures equal to the last digit that step by less than is believed in have no shift, by far more they have."""
    assert level_shifts([100.0] * 10 + [100.01] * 10, floor=0.2) == []
    (shift,) = level_shifts([100.0] * 10 + [110.0] * 10, floor=0.2)
    assert shift.interval.low == shift.interval.high == 10


def test_few_figures_have_none():
    """Seven runs are too few to tell, however far they lie apart."""
    assert level_shifts([1.0, 1.1, 1.0, 9.0, 9.1, 9.0, 9.1], 0) == []
    assert FEWEST == 8


def marked(series):
    """Of the series with a shift, the share that is said to drift."""
    found = [(values, shifts) for values in series if (shifts := level_shifts(values, 0))]
    assert len(found) > 100
    return sum(drifts(values, shifts) for values, shifts in found) / len(found)


def test_a_drift_is_told_from_a_step():
    """Of steps in independent noise at most 5 % are called a drift, of runs that follow their neighbours most are."""
    random = np.random.default_rng(9)
    steps = [(random.normal(0, 1, 60) + np.repeat([0, 3], 30)).tolist() for _ in range(400)]
    walks = [random.normal(0, 1, 60).cumsum() * 0.5 + random.normal(0, 0.5, 60) for _ in range(400)]
    assert marked(steps) <= FALSE_ALARM + 3 * math.sqrt(FALSE_ALARM * (1 - FALSE_ALARM) / 400)
    assert marked([walk.tolist() for walk in walks]) > 0.5


def test_levels_without_any_noise_do_not_drift():
    """There is nothing that could follow anything."""
    values = [100.0] * 10 + [110.0] * 10
    assert not drifts(values, level_shifts(values, 0.2))
