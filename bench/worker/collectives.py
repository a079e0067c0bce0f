"""All-reduces alone, through the strategy of the live trial: what its link can do, apart from any training."""

import time
from collections.abc import Callable

import tensorflow as tf

from bench.protocol import CollectivesMeasured, MeasureCollectives

_Program = Callable[[tf.Tensor], tf.Tensor]
"""Takes the () int32 number of all-reduces; its scalar is there when they are done."""


class Collectives:
    """Sums float32 arrays over the replicas of a strategy, whose workers `meet` before each window."""

    def __init__(self, strategy: tf.distribute.Strategy, meet: Callable[[], None]):
        self._strategy, self._meet = strategy, meet
        self._made: dict[int, _Program] = {}

    def run(self, asked: MeasureCollectives) -> CollectivesMeasured:
        """One window; the first of a size also traces, so the parent leaves that one out."""
        if asked.elements not in self._made:
            self._made[asked.elements] = _program(self._strategy, asked.elements)
        self._meet()
        began = time.monotonic()
        self._made[asked.elements](tf.constant(asked.calls)).numpy()
        window_s = time.monotonic() - began
        return CollectivesMeasured(elements=asked.elements, calls=asked.calls, window_s=window_s)


def _program(strategy: tf.distribute.Strategy, elements: int) -> _Program:
    with strategy.scope():  # zeros stay zeros, however often they are summed
        summand = tf.Variable(tf.zeros(elements), trainable=False)

    def reduced() -> tf.Tensor:
        total = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, summand.read_value())
        return total[0]

    @tf.function
    def window(calls: tf.Tensor) -> tf.Tensor:
        first = tf.zeros(())
        for _ in tf.range(calls):
            # one after the other: two at once would tell of bandwidth, but not of latency
            tf.autograph.experimental.set_loop_options(parallel_iterations=1)
            first += tf.add_n(strategy.experimental_local_results(strategy.run(reduced)))
        return first

    return window  # type: ignore[no-any-return]  # tf.function has no types
