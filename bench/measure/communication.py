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

    @property
    def dispatched(self) -> bool:
        """Whether each was dispatched for itself."""


@dataclass(frozen=True)
class Timing:
    """Seconds of one all-reduce of some size: the median over windows, the fastest and the slowest of them."""

    size_bytes: int
    seconds: float
    fastest_s: float
    slowest_s: float


@dataclass(frozen=True)
class Link:
    """What one message between neighbours costs: a latency, and seconds for each byte.

    `once_s` is what an all-reduce costs beside its messages, however many replicas take part.
    """

    latency_s: float
    byte_s: float
    once_s: float = 0.0


def timings_of(windows: Iterable[Window]) -> list[Timing]:
    """One timing for each size, ascending; of one kind of windows."""
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
    return link.once_s + messages * (link.latency_s + link.byte_s * size_bytes / replicas)


def link_through(
    least_s: float, size_bytes: int, seconds: float, replicas: int, *, pulled: bool = False, dispatch_s: float = 0.0
) -> Link:
    """The link whose ring takes `least_s` for next to nothing and `seconds` for `size_bytes`.

    Taken at the one size that matters, since no straight line goes through all sizes: small messages, large ones and
    those past a cache are handled in different ways. Where messages are `pulled`, the receiver asks for each; it asks
    ahead, so that only the first request is waited for, which takes as long as a message. `dispatch_s` comes on top of
    every all-reduce.
    """
    messages = 2 * (replicas - 1)
    latency_s = least_s / (messages + pulled)
    byte_s = max(seconds - least_s, 0.0) * replicas / (messages * size_bytes)
    return Link(latency_s, byte_s, pulled * latency_s + dispatch_s)


@dataclass(frozen=True)
class Communication:
    """What all-reduces over some replicas took: next to nothing, the gradient, and the largest that was tried.

    `dispatched` is the gradient's where each is dispatched for itself, None where that is not how it trains; `pulled`
    whether receivers ask for what they get.
    """

    replicas: int
    least: Timing
    gradient: Timing
    largest: Timing
    dispatched: Timing | None = None
    pulled: bool = False

    @property
    def of_a_step(self) -> Timing:
        """The gradient's all-reduce as a step has it."""
        return self.dispatched or self.gradient

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
        middle, fast, slow = (self._link(of) for of in ("seconds", "fastest_s", "slowest_s"))
        return middle, fast, slow

    def _link(self, of: str) -> Link:
        least_s, gradient_s, step_s = (getattr(one, of) for one in (self.least, self.gradient, self.of_a_step))
        dispatch_s, size = max(step_s - gradient_s, 0.0), self.gradient.size_bytes
        return link_through(least_s, size, gradient_s, self.replicas, pulled=self.pulled, dispatch_s=dispatch_s)


def communication_of(
    windows: Iterable[Window], parameters: int, replicas: int, *, pulled: bool = False
) -> Communication | None:
    """The figures of some windows; None where those of the gradient or of anything smaller are missing."""
    taken = list(windows)
    timings = timings_of(window for window in taken if not window.dispatched)
    gradient = next((one for one in timings if one.size_bytes == parameters * FLOAT_BYTES), None)
    if gradient is None or timings[0] is gradient or replicas < 2:
        return None
    dispatched = next(iter(timings_of(window for window in taken if window.dispatched)), None)
    return Communication(replicas, timings[0], gradient, timings[-1], dispatched, pulled)
