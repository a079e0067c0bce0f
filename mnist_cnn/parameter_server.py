"""Asynchronous training: a coordinator hands out steps to workers, which update weights that servers keep.

No worker waits for another. A step computes gradients from the weights as it finds them, for a batch of its own, and
applies them at once (Dean et al. 2012, "Large Scale Distributed Deep Networks"). The servers add every SGD step
exactly once; what an optimizer reads and writes back (RMSprop's and Adam's averages, Keras's count of iterations,
batch-norm's moving statistics) a worker may overwrite with what another has not seen (Recht et al. 2011, "Hogwild!").
"""

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from tensorflow.python.distribute.coordinator import cluster_coordinator  # nowhere else is its queue's length

from mnist_cnn.engines import NextWindow, Progress, parts
from mnist_cnn.pipeline import Turn
from mnist_cnn.settings import Engine

if TYPE_CHECKING:
    from mnist_cnn.training import Training

CLOSURES_A_WORKER = 2
"""One that it works on and one that waits for it, so that no worker waits for the coordinator."""
_POLL_S = 0.001
STEPS_A_CLOSURE: dict[Engine, int] = {"step": 1, "fused": 4}
"""A closure is what is handed to a worker at once."""


class Updates:
    """The steps handed to the workers of a ParameterServerStrategy, and how many of them are done.

    Steps are counted in a variable of our own, along with their losses and accuracies: Keras's `iterations` is read
    and written back, so that what two workers count at the same time is lost. The count can be read at any
    time without waiting for what is under way. One object a strategy: TensorFlow makes one coordinator for each.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        # a closure that is tried again may have been applied already
        os.environ["TF_COORDINATOR_IGNORE_TRANSIENT_PS_FAILURES"] = "0"
        self.workers, self.servers = _tasks("worker"), _tasks("ps")
        # TensorFlow's own limit is 262,144 closures, which a window's end would have to wait for
        cluster_coordinator._CLOSURE_QUEUE_MAX_SIZE = self.workers * (CLOSURES_A_WORKER - 1)
        self.coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
        with strategy.scope():
            self.tally = tf.Variable(tf.zeros((self.workers, 3), tf.float64), trainable=False)
        self.while_waiting: Callable[[], None] = lambda: None
        """Called every now and then while steps are waited for; what it raises ends the waiting."""
        self._handed_out = 0
        self._marked = np.zeros(3)

    def dataset(self, build: Callable[[Turn], tf.data.Dataset]) -> Any:
        """A dataset for each worker, built there, which takes its turn among them."""

        def build_there() -> tf.data.Dataset:
            return build(Turn(tf.distribute.coordinator.experimental_get_current_worker_index(), self.workers))

        return self.coordinator.create_per_worker_dataset(build_there)

    def count(self, figures: tf.Tensor, worker: tf.Tensor) -> None:
        """Count one step of a `worker` and its (2,) mean loss and accuracy; to be called within the step."""
        one = tf.concat([tf.ones(1, tf.float64), tf.cast(figures, tf.float64)], axis=0)
        self.tally.assign_add(tf.one_hot(worker, self.workers, dtype=tf.float64)[:, tf.newaxis] * one)

    @property
    def steps_done(self) -> list[int]:
        """Steps of each worker so far."""
        return [int(steps) for steps in self.tally.numpy()[:, 0]]

    def hand_out(self, program: Callable[..., None], args: tuple[Any, ...], steps: int) -> None:
        """Have some worker run a `tf.function` that counts so many steps; waits while all have enough to do."""
        self._handed_out += steps
        self.coordinator.schedule(program, args=args)

    def settle(self) -> None:
        """Wait until all that was handed out is done. Raises RuntimeError where some was done twice, or not at all."""
        self._wait(lambda: False)
        self.coordinator.join()
        done = sum(self.steps_done)
        if done != self._handed_out:
            raise RuntimeError(f"{done} steps were applied where {self._handed_out} were handed out")

    def mark(self) -> None:
        """Begin a new window: `progress` tells what is done from here on."""
        self._marked = self._totals()

    def progress(self) -> Progress:
        """What was done since the last mark, which this is too; where nothing was, waits until something is."""
        self._wait(lambda: self._totals()[0] != self._marked[0])
        now = self._totals()
        steps, loss, accuracy = now - self._marked
        self._marked = now
        return Progress(int(steps), float(loss / steps), float(accuracy / steps))

    def _wait(self, enough: Callable[[], bool]) -> None:
        """Wait until something is so, or all that was handed out is done."""
        while not enough() and not self.coordinator.done():
            self.while_waiting()
            time.sleep(_POLL_S)

    def _totals(self) -> np.ndarray:
        return self.tally.numpy().sum(axis=0)  # type: ignore[no-any-return]  # TensorFlow has no types


def _tasks(job: str) -> int:
    """How many processes of a kind this one is connected to."""
    devices = (tf.DeviceSpec.from_string(device.name) for device in tf.config.list_logical_devices())
    return len({device.task for device in devices if device.job == job})


def in_flight_steps(engine: Engine, workers: int) -> int:
    """The most steps that may be under way at once."""
    return workers * CLOSURES_A_WORKER * STEPS_A_CLOSURE[engine]


def train_asynchronously(training: "Training", next_window: NextWindow) -> None:
    """A window ends when the last of its steps is handed out, so the workers never pause for a clock to be read.

    What it then did may be so many steps more or fewer than it was asked as may be under way.
    """
    updates, most = training.updates, STEPS_A_CLOSURE[training.settings.engine]
    assert updates is not None, "only a training under a ParameterServerStrategy is trained so"
    program = training.program = _one(training) if most == 1 else _several(training)
    iterator = training.iterator()
    steps = next_window(None)
    while steps:
        for part in parts(steps, most):
            args = (iterator,) if most == 1 else (iterator, tf.constant(part))
            updates.hand_out(program, args, part)
        steps = next_window(updates.progress())


def _one(training: "Training") -> Any:
    @tf.function
    def replica_step_there(iterator: Any) -> None:
        worker = tf.distribute.coordinator.experimental_get_current_worker_index()
        training.updates.count(training.global_step(next(iterator)), worker)  # type: ignore[union-attr]  # asserted above

    return replica_step_there


def _several(training: "Training") -> Any:
    @tf.function
    def replica_steps_there(iterator: Any, steps: tf.Tensor) -> None:
        worker = tf.distribute.coordinator.experimental_get_current_worker_index()  # not to be had within a loop
        for _ in tf.range(steps):
            figures = training.global_step(next(iterator))
            training.updates.count(figures, worker)  # type: ignore[union-attr]  # asserted above

    return replica_steps_there
