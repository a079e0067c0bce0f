"""Latency and bandwidth of all-reduces."""

from types import SimpleNamespace

import pytest

from bench.measure.communication import Link, bus_bytes_per_s, communication_of, link_through, ring_s


def window(elements, window_s, calls=10, dispatched=False):
    return SimpleNamespace(elements=elements, calls=calls, window_s=window_s, dispatched=dispatched)


@pytest.mark.parametrize(("replicas", "factor"), [(2, 1.0), (4, 1.5), (8, 1.75)])
def test_bus_bandwidth_is_that_of_nccl_tests(replicas, factor):
    """1 GB in 1 s is a bus bandwidth of 2 (n - 1) / n GB/s: the factors that its documentation gives."""
    assert bus_bytes_per_s(10**9, 1.0, replicas) == pytest.approx(factor * 10**9)


def test_a_ring_at_the_research_pages_example():
    """1.03 MB over 8 replicas of 10 Gb/s and 50 µs a message: 0.7 ms of latency and 1.4 ms of bandwidth."""
    link = Link(50e-6, 1 / 1.25e9)
    assert ring_s(link, 0, 8) == pytest.approx(0.7e-3)
    assert ring_s(link, 1.03e6, 8) - ring_s(link, 0, 8) == pytest.approx(1.44e-3, rel=0.01)


PULLED_S = {2: 3.15, 3: 5.42, 4: 7.20}
"""An all-reduce of 1 MB in TensorFlow 2.21 over a relay of 40 ms, in its delays, in a loop inside a graph; run once."""


@pytest.mark.parametrize("replicas", [3, 4])
def test_pulled_messages_are_one_more(replicas):
    """From two workers to three and four: within 5 % with the request that is waited for, 10 % off at least without."""
    pulled, pushed = (link_through(PULLED_S[2], 1, PULLED_S[2], 2, pulled=pulled) for pulled in (True, False))
    assert ring_s(pulled, 1, replicas) == pytest.approx(PULLED_S[replicas], rel=0.05)
    assert ring_s(pushed, 1, replicas) > 1.1 * PULLED_S[replicas]


def test_what_a_dispatch_takes_does_not_grow_with_replicas():
    """A gradient of 3 ms in a loop and of 5 ms dispatched costs 2 ms on top, at two replicas as at many."""
    windows = [window(1, 0.01), window(100, 0.03), window(100, 0.05, dispatched=True)]
    found = communication_of(windows, 100, 2)
    assert (found.gradient.seconds, found.of_a_step.seconds) == pytest.approx((0.003, 0.005))
    link = found.links[0]
    assert link.once_s == pytest.approx(0.002)
    assert ring_s(link, 400, 2) == pytest.approx(0.005)
    assert ring_s(link, 400, 8) == pytest.approx(0.002 + 14 * (link.latency_s + link.byte_s * 50))


@pytest.mark.parametrize("replicas", [2, 3, 16])
def test_the_link_gives_back_what_it_was_made_from(replicas):
    """Its ring takes the measured seconds at both sizes, at the replicas they were measured with."""
    link = link_through(2e-3, 10**6, 7e-3, replicas)
    assert ring_s(link, 0, replicas) == pytest.approx(2e-3)
    assert ring_s(link, 10**6, replicas) == pytest.approx(7e-3)


def test_noise_never_makes_a_link_faster_than_nothing():
    """A gradient that was faster than a single float costs no further seconds per byte."""
    assert link_through(2e-3, 10**6, 1.9e-3, 2) == Link(1e-3, 0.0)


def test_windows_of_each_size_are_one_timing():
    """The median of seconds per all-reduce, with the fastest and the slowest window."""
    windows = [window(1, 0.01), window(100, 0.02), window(100, 0.05), window(100, 0.03), window(1000, 0.2)]
    found = communication_of(windows, 100, 2)
    gradient = found.gradient
    sizes = (found.least.size_bytes, gradient.size_bytes, found.largest.size_bytes)
    assert sizes == (4, 400, 4000)
    assert (gradient.seconds, gradient.fastest_s, gradient.slowest_s) == pytest.approx((0.003, 0.002, 0.005))
    middle, fast, slow = found.links
    assert fast.byte_s < middle.byte_s < slow.byte_s


@pytest.mark.parametrize("elements", [[], [100], [1, 1000]])
def test_without_the_gradient_or_anything_smaller_there_are_no_figures(elements):
    """A latency and a bandwidth take two sizes."""
    assert communication_of([window(one, 0.01) for one in elements], 100, 2) is None
