"""How often the live display is drawn; time is told, not waited for."""

from itertools import pairwise

import pytest

from bench.display.pace import LEAST_SPACING_S, MOST_SHARE, Pace


def drawn(cost_s: float, *, every_s: float, for_s: float, urgent_every: int = 0) -> list[float]:
    """The moments of drawings that take so much, where news comes so often, each n-th of it urgent."""
    pace, moments = Pace(0.0), []
    for place in range(round(for_s / every_s)):
        now_s = place * every_s
        if pace.allows(now_s, can_wait=not urgent_every or place % urgent_every != 0):
            pace.drew(cost_s)
            moments.append(now_s)
    return moments


@pytest.mark.parametrize("every_s", [0.01, 0.2, 0.3])
def test_windows_are_drawn_twice_a_second_at_most(every_s: float) -> None:
    """However many there are."""
    moments = drawn(0.0, every_s=every_s, for_s=60)
    assert all(later - former >= LEAST_SPACING_S - 1e-9 for former, later in pairwise(moments))
    assert len(moments) > 60


def test_what_is_slow_to_draw_is_drawn_rarely() -> None:
    """On a slow machine or a huge terminal drawing takes its share of a CPU and no more."""
    cost_s = 0.03
    moments = drawn(cost_s, every_s=0.2, for_s=600)
    assert MOST_SHARE / 2 < cost_s * len(moments) / 600 < 1.05 * MOST_SHARE


def test_news_that_cannot_wait_need_not_wait_for_windows() -> None:
    """A window has always left room for three more drawings; all together stay within two a second."""
    pace = Pace(0.0)
    assert pace.allows(10.0, can_wait=True)
    pace.drew(0.0)
    assert not pace.allows(10.1, can_wait=True)
    for _ in range(3):
        assert pace.allows(10.1, can_wait=False)
        pace.drew(0.0)
    assert not pace.allows(10.11, can_wait=False)
    assert len(drawn(0.0, every_s=0.05, for_s=100, urgent_every=2)) <= 2 * 100 + 4
