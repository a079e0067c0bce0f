"""Windows beside the trial's own, which take away one cost of a step each: what a diagnosis is made from."""

import time
from collections.abc import Callable, Iterator
from copy import copy
from functools import cached_property
from typing import Any

import tensorflow as tf

from bench.protocol.answers import ProbeDone
from bench.protocol.commands import Probe
from bench.trial import Cell
from bench.worker.devices import synchronise
from mnist_cnn.dataset import Split
from mnist_cnn.engines import step_program, window_program
from mnist_cnn.training import Training

Program = Callable[[tf.Tensor], Any]
"""Takes the () int32 steps of a window; a tensor of what it returns is there when the steps are done."""


class Probes:
    """The probes that say something about a cell, over the live training, whose state they save and restore.

    `resident`: images that lie on the device, and all steps of the window in one dispatch. What lies in between takes
    away one of both: under `step` the input (`step_resident`: a dispatch for each step), since a late one hides what
    dispatch costs; under `fit`, which has no place for such images, dispatch (`fused`: the same input).
    `communication`: nothing but the all-reduce of the gradients. What a cell has already is left out. A probe
    trains the live model on, so `restore` puts back the weights, the optimizer's state and the seeds as they were
    when this object was made; it knows nothing of the input's place.
    `meet` returns when all workers of the trial have called it.
    """

    def __init__(self, training: Training, cell: Cell, split: Split, meet: Callable[[], None] = lambda: None):
        self._several_workers, self._meet = cell.workers > 1, meet
        self._training, self._split = training, split
        self._saved = [(variable, variable.numpy()) for variable in copies_of(training)]
        self._make: dict[Probe, Callable[[], Program]] = {}
        self._made: dict[Probe, Program] = {}
        if cell.engine == "step" and cell.input == "real":
            self._make["step_resident"] = lambda: step_by_step(self._resident)
        elif cell.engine != "fused":
            self._make["fused"] = lambda: fused(copy(training))  # with a pass over the input of its own
        if cell.input == "real":
            self._make["resident"] = lambda: fused(self._resident)
        if cell.replicas > 1:
            self._make["communication"] = lambda: _all_reduce(training)

    @property
    def names(self) -> list[Probe]:
        """The probes there are for this cell."""
        return list(self._make)

    def run(self, probe: Probe, steps: int) -> ProbeDone:
        """Run so many steps of one probe between two synchronised clock readings; the first time, make it."""
        if probe not in self._made:
            self._made[probe] = self._make[probe]()
        self._meet()
        began = time.monotonic()
        self._made[probe](tf.constant(steps)).numpy()
        if not self._several_workers:  # of several, TensorFlow would want to ask the others' devices, and cannot
            synchronise()
        return ProbeDone(probe=probe, steps=steps, window_s=time.monotonic() - began)

    @cached_property
    def _resident(self) -> Training:
        return self._training.with_resident_input(self._split)

    def restore(self) -> None:
        """Put the training's variables back."""
        for variable, value in self._saved:
            variable.assign(value)


def copies_of(training: Training) -> Iterator[tf.Variable]:
    """Every replica's copy of every variable: weights, seeds, the optimizer's state."""
    variables = [*training.model.variables, *training.optimizer.variables]
    for variable in variables:
        yield from getattr(variable.value, "values", (variable.value,))


def fused(training: Training) -> Program:
    """All steps of a window in one dispatch."""
    window, iterator = window_program(training), training.iterator()
    return lambda steps: window(iterator, steps)


def step_by_step(training: Training) -> Program:
    """A dispatch for each step."""
    from mnist_cnn.engines import dispatched  # noqa: PLC0415  # a side's older tree has none, and is never diagnosed

    step, iterator = step_program(training), training.iterator()
    return lambda steps: dispatched(step, iterator, int(steps))


def _all_reduce(training: Training) -> Program:
    """Sum tensors of the gradients' shapes over the replicas, as the optimizer does, and do nothing else."""

    def reduced() -> tf.Tensor:
        # a bare read names no device, from which a worker's collectives learn where to put the sum
        gradients = [tf.identity(variable.value) for variable in training.model.trainable_variables]
        sums = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        return tf.add_n([tf.reshape(total, [-1])[0] for total in sums])

    @tf.function
    def window(steps: tf.Tensor) -> tf.Tensor:
        total = tf.zeros(())
        for _ in tf.range(steps):
            total += tf.add_n(training.strategy.experimental_local_results(training.strategy.run(reduced)))
        return total

    return window  # type: ignore[no-any-return]  # tf.function has no types
