"""What a device can do at its best: matmul and convolution FLOP/s, memory bytes/s, seconds to dispatch nothing.

On a CPU NumPy's kernels count too, where it has some: which library makes most of a CPU differs from one to the next.
"""

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import median

import numpy as np
import tensorflow as tf
from threadpoolctl import threadpool_info, threadpool_limits

from bench.protocol.answers import Ceiling, CeilingsMeasured
from bench.protocol.commands import MeasureCeilings
from bench.trial import Cell, Device, Precision
from bench.worker.devices import configure_devices, synchronise

WINDOW_S = 0.15
"""The least that is timed at once: the clock's own cost and a single interrupt vanish in it."""
_MATMULS: dict[Device, tuple[int, ...]] = {"cpu": (1024, 2048, 3072), "gpu": (4096, 8192, 12288)}
"""Sides of the square matrices."""
_CONVOLUTIONS: dict[Device, tuple[tuple[int, ...], ...]] = {
    "cpu": ((200, 14, 14, 64), (200, 28, 28, 64)),
    "gpu": ((1024, 14, 14, 64), (512, 28, 28, 256)),
}
"""Images, height, width and channels, the same in and out."""
_SUMMANDS = 2**26
"""256 MiB of float32: more than the caches of common processors and GPUs hold."""


@dataclass(frozen=True, eq=False)
class _Kernel:
    """A call that gives the device work, and how much that is in FLOPs, in bytes, or in calls."""

    work: float
    call: Callable[[], object]


def measure_ceilings(asked: MeasureCeilings) -> CeilingsMeasured:
    """Measure in a process whose TensorFlow has no context yet, because its threads can be set once only.

    Each figure gets about `asked.kernel_s` seconds, and more only where two calls of a kernel take more. NumPy's
    products keep to `asked.threads` in this process from then on; where its library cannot be told, they do not count.
    """
    device, (name, *_) = asked.device, configure_devices(Cell(device=asked.device, cpu_threads=asked.threads), 1)
    with tf.device(name):
        return CeilingsMeasured(
            device=device,
            threads=tf.config.threading.get_intra_op_parallelism_threads() or None,
            matmul_flops_per_s=_by_precision(asked, _matmuls),
            convolution_flops_per_s=_by_precision(asked, _convolutions),
            memory_bytes_per_s=_memory(asked),
            dispatch_s=_inverse(_fastest([_nothing()], asked.kernel_s)),
        )


def _by_precision(
    asked: MeasureCeilings, kernels: Callable[[MeasureCeilings, tf.DType], list[_Kernel]]
) -> dict[Precision, Ceiling]:
    found: dict[Precision, Ceiling] = {}
    for precision in asked.precisions:
        tf.config.experimental.enable_tensor_float_32_execution(precision == "tf32")
        dtype = tf.as_dtype(precision.removeprefix("mixed_")) if precision.startswith("mixed_") else tf.float32
        found[precision] = _fastest(kernels(asked, dtype), asked.kernel_s)
    return found


def _matmuls(asked: MeasureCeilings, dtype: tf.DType) -> list[_Kernel]:
    """Products of two square matrices: two FLOPs per multiply-add."""
    sides = _MATMULS[asked.device]
    kernels = [_matmul(side, dtype) for side in sides]
    if asked.device != "cpu" or dtype != tf.float32 or not _keep_numpy_to(asked.threads):
        return kernels
    return [one for pair in zip(kernels, map(_matmul_by_numpy, sides), strict=True) for one in pair]


def _keep_numpy_to(threads: int | None) -> bool:
    """Tell NumPy's library for products how many threads to take; False where it is none that can be told."""
    if threads is None:
        return True
    threadpool_limits(threads, "blas")
    told = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
    return bool(told) and max(told) <= threads


def _matmul(side: int, dtype: tf.DType) -> _Kernel:
    one, other = _noise((side, side), dtype), _noise((side, side), dtype)
    product = tf.function(tf.matmul)
    return _Kernel(2 * side**3, lambda: product(one, other))


def _matmul_by_numpy(side: int) -> _Kernel:
    one, other = np.random.default_rng(0).random((2, side, side), np.float32)
    product = np.empty_like(one)
    return _Kernel(2 * side**3, lambda: np.matmul(one, other, out=product))


def _convolutions(asked: MeasureCeilings, dtype: tf.DType) -> list[_Kernel]:
    """Forward passes of 3x3 convolutions that keep the shape: two FLOPs per weight and output position."""
    return [_convolution(shape, dtype) for shape in _CONVOLUTIONS[asked.device]]


def _convolution(shape: Sequence[int], dtype: tf.DType) -> _Kernel:
    images, weights = _noise(shape, dtype), _noise((3, 3, shape[-1], shape[-1]), dtype)
    convolve = tf.function(lambda images, weights: tf.nn.conv2d(images, weights, strides=1, padding="SAME"))
    return _Kernel(2 * math.prod(shape) * 9 * shape[-1], lambda: convolve(images, weights))


def _memory(asked: MeasureCeilings) -> Ceiling:
    """Arrays added to others: both read, one written; each kernel by itself, since their arrays are large.

    In place, because a fresh array for the result would measure how fast the system hands out pages.
    """
    sums: list[Callable[[], _Kernel]] = [_sum_in_place]
    if asked.device == "cpu":
        sums.append(partial(_sum_by_numpy, asked.threads or 1))
    return max((_fastest([one()], asked.kernel_s / len(sums)) for one in sums), key=lambda found: found.value)


def _sum_in_place() -> _Kernel:
    total, summand = tf.Variable(tf.zeros(_SUMMANDS)), tf.ones(_SUMMANDS)

    @tf.function
    def add() -> None:
        total.assign_add(summand, read_value=False)

    return _Kernel(3 * 4 * _SUMMANDS, add)


def _sum_by_numpy(threads: int) -> _Kernel:
    """Each thread has its part, and touches it first, as memory is then near it."""
    pool, part = ThreadPoolExecutor(threads), _SUMMANDS // threads
    totals, summands = (list(pool.map(partial(np.ones, dtype=np.float32), [part] * threads)) for _ in range(2))
    return _Kernel(3 * 4 * part * threads, lambda: list(pool.map(np.add, totals, summands, totals)))


def _nothing() -> _Kernel:
    """A call of a `tf.function` that is given nothing and does nothing: what no dispatch can be cheaper than."""
    return _Kernel(1, tf.function(lambda: None))


def _noise(shape: Sequence[int], dtype: tf.DType) -> tf.Tensor:
    return tf.cast(tf.random.normal(shape), dtype)


def _fastest(kernels: Sequence[_Kernel], kernel_s: float) -> Ceiling:
    """The best of the windows of all kernels, and the median over the windows of that one, in work per second.

    Each has a window, and the fastest of them the rest of the time; one that would not fit into that, by the best rate
    so far, is left out.
    """
    deadline, rates = time.monotonic() + kernel_s, dict[_Kernel, list[float]]()
    for kernel in kernels:
        if not rates or kernel.work / max(map(max, rates.values())) < (deadline - time.monotonic()) / 2:
            rates[kernel] = _rates(kernel, 0.0)
    fastest = max(rates, key=lambda kernel: max(rates[kernel]))
    if (left_s := deadline - time.monotonic()) > 0:
        rates[fastest] += _rates(fastest, left_s)
    best = rates[fastest]
    return Ceiling(value=max(best), median=median(best), n=len(best))


def _rates(kernel: _Kernel, seconds: float) -> list[float]:
    """Work per second of each window of one kernel until so many seconds are over, one window at least."""
    began, calls, rates = time.monotonic(), 1, list[float]()
    _seconds(kernel, 1)  # traces, picks an algorithm, touches memory for the first time
    while not rates or time.monotonic() - began < seconds:
        window_s = _seconds(kernel, calls)
        if window_s >= WINDOW_S:
            rates.append(calls * kernel.work / window_s)
        else:
            calls = math.ceil(calls * min(1.2 * WINDOW_S / window_s, 100))
    return rates


def _seconds(kernel: _Kernel, calls: int) -> float:
    began = time.monotonic()
    for _ in range(calls):
        kernel.call()
    synchronise()
    return time.monotonic() - began


def _inverse(rate: Ceiling) -> Ceiling:
    """Seconds per call from calls per second."""
    return Ceiling(value=1 / rate.value, median=1 / rate.median, n=rate.n)
