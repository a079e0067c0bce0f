"""The step time of more replicas than there are here, from one replica's compute time and a link. Pure functions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from bench.measure.communication import Link, ring_s

BACKWARD = 2 / 3
"""Of a step's computing: gradients for inputs and for weights, each as dear as the forward pass."""
BUCKET_BYTES = 64e6
"""Gradients are summed in buckets of so much (Horovod, docs/tensor-fusion.md: the default fusion buffer of 64 MB)."""


def step_s(compute_s: float, gradient_bytes: float, link: Link, replicas: int) -> float:
    """Seconds of a synchronous step of data-parallel replicas.

    The one assumption about overlap: the gradient comes out of the backward pass evenly, in buckets, each of which is
    summed over a ring as soon as it is complete and the one before is through. So the last bucket is never hidden, and
    a gradient of one bucket, such as that of the MNIST CNN, is not hidden at all.
    """
    if replicas == 1:
        return compute_s
    buckets = math.ceil(gradient_bytes / BUCKET_BYTES)
    each_s, end_s = ring_s(link, gradient_bytes / buckets, replicas), 0.0
    for bucket in range(1, buckets + 1):
        complete_s = compute_s * (1 - BACKWARD * (1 - bucket / buckets))
        end_s = max(end_s, complete_s) + each_s
    return end_s


@dataclass(frozen=True)
class Range:
    """A figure, and the lowest and highest that what it was made from allows; None where that is not known."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Basis:
    """What a forecast is made from: each middle figure first, then the bounds, which may be missing for computing.

    `alone_s` is what one replica without neighbours takes for its part of the images; empty where that is `compute_s`.
    """

    compute_s: Sequence[float]
    links: Sequence[Link]
    gradient_bytes: int
    alone_s: Sequence[float] = ()


def forecast(basis: Basis, replicas: int) -> tuple[Range, Range]:
    """Seconds of a step of so many replicas, and their efficiency: what one takes alone for its part ÷ the step.

    The bounds hold every combination of the bounds of computing and of the link, and of one alone.
    """
    pairs = list(product(basis.compute_s, basis.links))
    steps = [step_s(compute_s, basis.gradient_bytes, link, replicas) for compute_s, link in pairs]
    if basis.alone_s:
        shares = [alone_s / step for alone_s, step in product(basis.alone_s, steps)]
    else:
        shares = [compute_s / step for (compute_s, _), step in zip(pairs, steps, strict=True)]
    if len(basis.compute_s) == 1:
        return Range(steps[0]), Range(shares[0])
    return Range(steps[0], min(steps), max(steps)), Range(shares[0], min(shares), max(shares))
