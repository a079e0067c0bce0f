"""The arithmetic of all-reduces: latency, bandwidth, and what a ring would take. Pure functions of numbers."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Protocol

FLOAT_BYTES = 4


class Window(Protocol):
    """So many all-reduces of so many float32 one after the other, and their seconds together."""

    @property
    def elements(self) -> int:
        """Of one all-reduce."""

    @property
    def calls(self) -> int:
        """How many all-reduces."""

    @property
    def window_s(self) -> float:
        """Of all of them."""


@dataclass(frozen=True)
class Timing:
    """Seconds of one all-reduce of some size: the median over windows, the fastest and the slowest of them."""

    size_bytes: int
    seconds: float
    fastest_s: float
    slowest_s: float


@dataclass(frozen=True)
class Link:
    """What one message between neighbours costs: a latency, and seconds for each byte."""

    latency_s: float
    byte_s: float


def timings_of(windows: Iterable[Window]) -> list[Timing]:
    """One timing for each size, ascending."""
    by_size: dict[int, list[float]] = {}
    for window in windows:
        by_size.setdefault(window.elements * FLOAT_BYTES, []).append(window.window_s / window.calls)
    return [Timing(size, median(each), min(each), max(each)) for size, each in sorted(by_size.items())]


def algorithm_bytes_per_s(size_bytes: int, seconds: float) -> float:
    """Bytes of the array ÷ seconds, as nccl-tests has it (doc/PERFORMANCE.md, "Algorithm bandwidth")."""
    return size_bytes / seconds


def bus_bytes_per_s(size_bytes: int, seconds: float, replicas: int) -> float:
    """The algorithm bandwidth × 2 (n - 1) / n, which compares with a link's speed at any n (same, "Bus bandwidth")."""
    return algorithm_bytes_per_s(size_bytes, seconds) * 2 * (replicas - 1) / replicas


def ring_s(link: Link, size_bytes: float, replicas: int) -> float:
    """Seconds of an all-reduce over a ring: 2 (n - 1) messages one after the other, of an n-th of the bytes each.

    Source: Thakur, Rabenseifner & Gropp 2005, "Optimization of Collective Communication Operations in MPICH"; optimal
    in bandwidth by Patarasuk & Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of workstations". The
    time of adding up is in the seconds per byte.
    """
    messages = 2 * (replicas - 1)
    return messages * (link.latency_s + link.byte_s * size_bytes / replicas)


def link_through(least_s: float, size_bytes: int, seconds: float, replicas: int) -> Link:
    """The link whose ring takes `least_s` for next to nothing and `seconds` for `size_bytes`.

    Taken at the one size that matters, since no straight line goes through all sizes: small messages, large ones and
    those past a cache are handled in different ways.
    """
    messages = 2 * (replicas - 1)
    return Link(least_s / messages, max(seconds - least_s, 0.0) * replicas / (messages * size_bytes))


@dataclass(frozen=True)
class Communication:
    """What all-reduces over some replicas took: next to nothing, the gradient, and the largest that was tried."""

    replicas: int
    least: Timing
    gradient: Timing
    largest: Timing

    @property
    def bus_bytes_per_s(self) -> float:
        """Of the gradient's."""
        return bus_bytes_per_s(self.gradient.size_bytes, self.gradient.seconds, self.replicas)

    @property
    def algorithm_bytes_per_s(self) -> float:
        """Of the gradient's."""
        return algorithm_bytes_per_s(self.gradient.size_bytes, self.gradient.seconds)

    @property
    def links(self) -> tuple[Link, Link, Link]:
        """The link as the median has it, as the fastest windows and as the slowest."""
        pairs = [(getattr(self.least, of), getattr(self.gradient, of)) for of in ("seconds", "fastest_s", "slowest_s")]
        size = self.gradient.size_bytes
        middle, fast, slow = (link_through(least_s, size, seconds, self.replicas) for least_s, seconds in pairs)
        return middle, fast, slow


def communication_of(windows: Iterable[Window], parameters: int, replicas: int) -> Communication | None:
    """The figures of some windows; None where those of the gradient or of anything smaller are missing."""
    timings = timings_of(windows)
    gradient = next((one for one in timings if one.size_bytes == parameters * FLOAT_BYTES), None)
    if gradient is None or timings[0] is gradient or replicas < 2:
        return None
    return Communication(replicas, timings[0], gradient, timings[-1])
