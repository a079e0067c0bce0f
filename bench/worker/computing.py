"""Steps of a live training in which no replica waits for another's gradient: what computing takes among others."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy

import tensorflow as tf

from bench.protocol.answers import ComputingMeasured
from bench.protocol.commands import MeasureComputing
from bench.worker.afresh import Resumable
from bench.worker.devices import synchronise
from bench.worker.probes import Program, copies_of, fused, step_by_step


class Computing:
    """Trains as the engine does, `step` or `fused`, on an input of its own, but sums no gradients over replicas.

    All workers `meet` before a window and then compute at the same time, each for itself. Afterwards weights, the
    optimizer's state and seeds are put back as they were.
    """

    def __init__(self, training: Resumable, meet: Callable[[], None]):
        self._training, self._meet = training, meet
        self._twin = copy(training)
        self._twin.__dict__.pop("replica_step", None)  # or it would be the one that was traced with sums
        self._run: Program | None = None

    def run(self, asked: MeasureComputing) -> ComputingMeasured:
        """One window; the first also traces, so the parent leaves that one out."""
        saved = [(variable, variable.numpy()) for variable in copies_of(self._training)]
        with _no_sums(self._training):
            self._run = self._run or (fused if self._twin.settings.engine == "fused" else step_by_step)(self._twin)
            self._twin.begin_afresh()
            self._ended(self._run(tf.constant(asked.run_in)))
            self._meet()
            began = time.monotonic()
            self._ended(self._run(tf.constant(asked.steps)))
            window_s = time.monotonic() - began
        for variable, value in saved:
            variable.assign(value)
        return ComputingMeasured(steps=asked.steps, window_s=window_s)

    def _ended(self, totals: tf.Tensor) -> None:
        """Wait for all devices here; of several workers TensorFlow would want to ask the others', and cannot."""
        totals.numpy()
        if self._training.share is None:
            synchronise()


@contextmanager
def _no_sums(training: Resumable) -> Iterator[None]:
    """What is traced in here applies each replica's own gradients; Keras 3.15 has no public way to ask for that."""
    optimizer = getattr(training.optimizer, "inner_optimizer", training.optimizer)
    optimizer._all_reduce_sum_gradients = lambda pairs: pairs
    try:
        yield
    finally:
        del optimizer._all_reduce_sum_gradients
