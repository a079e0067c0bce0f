"""All-reduces alone, through the strategy of the live trial: what its link can do, apart from any training."""

import time
from collections.abc import Callable

import tensorflow as tf

from bench.protocol.answers import CollectivesMeasured
from bench.protocol.commands import MeasureCollectives

_Program = Callable[[int], tf.Tensor]
"""Takes the number of all-reduces; its scalar is there when they are done."""


class Collectives:
    """Sums float32 arrays over the replicas of a strategy, whose workers `meet` before each window."""

    def __init__(self, strategy: tf.distribute.Strategy, meet: Callable[[], None]):
        self._strategy, self._meet = strategy, meet
        self._made: dict[tuple[int, bool], _Program] = {}

    def run(self, asked: MeasureCollectives) -> CollectivesMeasured:
        """One window; the first of a size also traces, so the parent leaves that one out."""
        kind = asked.elements, asked.dispatched
        if kind not in self._made:
            self._made[kind] = (_one_by_one if asked.dispatched else _in_one)(self._summed(asked.elements))
        self._meet()
        began = time.monotonic()
        self._made[kind](asked.calls).numpy()
        window_s = time.monotonic() - began
        return CollectivesMeasured(**asked.model_dump(exclude={"kind"}), window_s=window_s)

    def _summed(self, elements: int) -> Callable[[], tf.Tensor]:
        """What sums an array over all replicas when a `tf.function` calls it; a scalar of it."""
        with self._strategy.scope():  # zeros stay zeros, however often they are summed
            summand = tf.Variable(tf.zeros(elements), trainable=False)

        def reduced() -> tf.Tensor:
            total = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, summand.read_value())
            return total[0]

        return lambda: tf.add_n(self._strategy.experimental_local_results(self._strategy.run(reduced)))


def _in_one(summed: Callable[[], tf.Tensor]) -> _Program:
    @tf.function
    def window(calls: tf.Tensor) -> tf.Tensor:
        first = tf.zeros(())
        for _ in tf.range(calls):
            # one after the other: two at once would tell of bandwidth, but not of latency
            tf.autograph.experimental.set_loop_options(parallel_iterations=1)
            first += summed()
        return first

    return lambda calls: window(tf.constant(calls))


def _one_by_one(summed: Callable[[], tf.Tensor]) -> _Program:
    @tf.function
    def one(before: tf.Tensor) -> tf.Tensor:
        return before + summed()

    def window(calls: int) -> tf.Tensor:
        first = tf.zeros(())
        for _ in range(calls):
            first = one(first)
        return first

    return window
