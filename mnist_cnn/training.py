"""Training the network: what one step does, the three engines that repeat it, and evaluation.

An engine is a function that trains until it is told to stop: before every window it asks `next_window`,
handing over what the last one did, for how many steps come next; 0 ends the training. The question is
asked from where the engine is (for `fit`, inside a Keras callback), so a benchmark can read its clock
there and every engine is measured, and trained, by the same code.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from inspect import getclosurevars
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mnist_cnn.dataset import Dataset, Split
from mnist_cnn.history import Epoch
from mnist_cnn.model import IMAGE_SHAPE, build_cnn
from mnist_cnn.pipeline import build_pipeline, lookup
from mnist_cnn.recipes import build_optimizer
from mnist_cnn.settings import Engine, TrainingSettings

EVALUATION_BATCH = 1000


@dataclass(frozen=True)
class Progress:
    """What a window of `steps` training steps did: mean loss per image, share of images classified right."""

    steps: int
    loss: float
    accuracy: float


NextWindow = Callable[[Progress | None], int]
"""Takes the last window's progress (None before the first), returns the steps of the next; 0 stops."""


class Training:
    """A model, its optimizer and its data under one strategy, ready to be trained by one engine.

    Build it in a process whose precision policy and threads are already set. Raises ValueError for `fit`
    with `resident` input: Keras's `fit` has no place for a look-up inside its step.
    """

    def __init__(self, settings: TrainingSettings, dataset: Dataset, strategy: tf.distribute.Strategy | None = None):
        if settings.engine == "fit" and settings.input == "resident":
            raise ValueError("fit × resident: Keras fit cannot look images up inside its step")
        self.settings = settings
        self.strategy = strategy or tf.distribute.get_strategy()
        self.replicas = int(self.strategy.num_replicas_in_sync)
        self.steps_per_epoch = len(dataset.train.labels) // settings.global_batch
        keras.utils.set_random_seed(settings.seed)
        self.pipeline = build_pipeline(settings.input, dataset.train, settings.global_batch, settings.seed)
        with self.strategy.scope():
            self.model = build_cnn(settings.variant)
            optimizer = build_optimizer(settings, self.steps_per_epoch)
            if keras.config.dtype_policy().name == "mixed_float16":
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            optimizer.build(self.model.trainable_variables)
            self.optimizer = optimizer
            self.resident = _on_device(dataset.train) if settings.input == "resident" else None
        self.program: Any = None
        """The `tf.function` that `step` and `fused` dispatch."""

    def train(self, next_window: NextWindow) -> None:
        """Train with the engine of the settings until `next_window` says 0."""
        ENGINES[self.settings.engine](self, next_window)

    def iterator(self) -> Iterator[Any]:
        """A fresh pass over the pipeline, sharded over the replicas."""
        return iter(self.strategy.experimental_distribute_dataset(self.pipeline))

    @cached_property
    def replica_step(self) -> Callable[..., Any]:
        """One replica's share of a step; compiled by XLA where the settings ask for it."""
        return tf.function(self._replica_step, jit_compile=True) if self.settings.xla else self._replica_step

    def global_step(self, batch: tuple[Any, ...]) -> tuple[tf.Tensor, tf.Tensor]:
        """One step on all replicas: the batch's mean loss and accuracy as float32 scalars."""
        loss, correct = self.strategy.run(self.replica_step, args=batch)
        reduce = tf.distribute.ReduceOp.SUM
        return self.strategy.reduce(reduce, loss, axis=None), self.strategy.reduce(reduce, correct, axis=None)

    def _replica_step(self, *batch: Any) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = batch if self.resident is None else lookup(*self.resident, *batch)
        with tf.GradientTape() as tape:
            probabilities = self.model(images, training=True)
            # the optimizer sums gradients over replicas, so each divides by the global batch
            losses = keras.losses.categorical_crossentropy(labels, probabilities)
            loss = tf.reduce_sum(losses) / self.settings.global_batch
            scaled_loss = self.optimizer.scale_loss(loss)
        variables = self.model.trainable_variables
        gradients = tape.gradient(scaled_loss, variables)
        if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer) and self.replicas > 1:
            gradients = agree_on_finite(gradients)
        self.optimizer.apply(gradients, variables)
        right = tf.equal(tf.argmax(probabilities, axis=1), tf.argmax(labels, axis=1))
        return loss, tf.reduce_sum(tf.cast(right, tf.float32)) / self.settings.global_batch

    def compiled_by_xla(self) -> bool:
        """Whether any graph of the dispatched program carries XLA's must-compile mark; ask after a step."""
        program = self.program
        if self.settings.engine == "fit":  # Keras keeps its tf.function inside a plain one
            program = getclosurevars(self.model.train_function).nonlocals["multi_step_on_iterator"]
        # the public API lists no traced graphs without an input to match them by
        traced = program._list_all_concrete_functions()
        graphs = [concrete.graph.as_graph_def() for concrete in traced]
        return any(part.attr["_XlaMustCompile"].b for graph in graphs for part in graph.library.function)

    @cached_property
    def _score(self) -> Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        """Sum of losses and number of right answers of a batch, in inference mode."""

        # in one graph, where Keras takes the loss from the softmax's input; of bare probabilities it would have
        # to clip the smallest, and with them the losses of confident mistakes
        def score(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            probabilities = self.model(images, training=False)
            losses = keras.losses.sparse_categorical_crossentropy(labels, probabilities)
            return tf.reduce_sum(losses), tf.math.count_nonzero(tf.argmax(probabilities, axis=1) == labels)

        signature = tf.TensorSpec((None, *IMAGE_SHAPE), tf.float32), tf.TensorSpec((None,), tf.int64)
        compiled: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]] = tf.function(score, signature)
        return compiled

    def evaluate(self, split: Split) -> tuple[float, float]:
        """Mean loss and accuracy over a split, on one device, in inference mode."""
        loss_sum, correct = 0.0, 0
        for start in range(0, len(split.labels), EVALUATION_BATCH):
            part = slice(start, start + EVALUATION_BATCH)
            pixels = split.images[part, ..., np.newaxis].astype(np.float32) / np.float32(255)
            loss, right = self._score(tf.constant(pixels), tf.constant(split.labels[part], tf.int64))
            loss_sum += float(loss)
            correct += int(right)
        return loss_sum / len(split.labels), correct / len(split.labels)


def agree_on_finite(gradients: list[tf.Tensor]) -> list[tf.Tensor]:
    """Make every replica's gradients NaN if any replica's are not finite.

    Keras 3.15's LossScaleOptimizer looks for infinities before gradients are summed over replicas, so one
    replica may skip a step that another takes; after this all decide alike. To be called in replica context.
    """
    # 0 × g is 0 where g is finite and NaN where it is not
    spoiled = tf.add_n([tf.reduce_sum(0.0 * gradient) for gradient in gradients])
    replica = tf.distribute.get_replica_context()
    spoiled = replica.all_reduce(tf.distribute.ReduceOp.SUM, spoiled)
    return [gradient + spoiled for gradient in gradients]


def _on_device(split: Split) -> tuple[tf.Variable, tf.Variable]:
    """The training set as variables, so that every replica holds its own copy on its own device."""
    return tuple(tf.Variable(array, trainable=False) for array in (split.images, split.labels))


def _train_by_step(training: Training, next_window: NextWindow) -> None:
    """One dispatch per step."""

    @tf.function
    def step(iterator: Iterator[Any]) -> tuple[tf.Tensor, tf.Tensor]:
        return training.global_step(next(iterator))

    training.program = step
    iterator = training.iterator()
    steps = next_window(None)
    while steps:
        done = [step(iterator) for _ in range(steps)]
        steps = next_window(_progress(steps, np.sum(done, axis=0)))


def _train_fused(training: Training, next_window: NextWindow) -> None:
    """One dispatch per window: the loop over steps is inside the graph."""

    @tf.function
    def window(iterator: Iterator[Any], steps: tf.Tensor) -> tf.Tensor:
        totals = tf.zeros(2)
        for _ in tf.range(steps):
            totals += tf.stack(training.global_step(next(iterator)))
        return totals

    whole_window = training.settings.xla and training.resident is not None
    run = training.program = _xla_window(training) if whole_window else window
    iterator = training.iterator()
    steps = next_window(None)
    while steps:
        steps = next_window(_progress(steps, run(iterator, tf.constant(steps)).numpy()))


def _xla_window(training: Training) -> Any:
    """A whole window as one XLA program, fed with its index batches.

    An iterator cannot enter an XLA cluster, and XLA compiles for fixed shapes: so the indices are drawn
    first, padded to an epoch's length (a longer window compiles anew), and the number of steps is data.
    """
    global_batch = training.settings.global_batch

    @tf.function(jit_compile=True)
    def compiled(indices: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        totals = tf.zeros(2)
        for step in tf.range(steps):
            totals += tf.stack(training.global_step((indices[step],)))
        return totals

    @tf.function
    def window(iterator: Iterator[Any], steps: tf.Tensor) -> tf.Tensor:
        longest = tf.maximum(steps, training.steps_per_epoch)
        drawn = tf.TensorArray(tf.int64, size=longest, element_shape=(global_batch,))
        for step in tf.range(steps):
            drawn = drawn.write(step, next(iterator)[0])
        for step in tf.range(steps, longest):
            drawn = drawn.write(step, tf.zeros((global_batch,), tf.int64))
        return compiled(drawn.stack(), steps)

    return window


def _train_by_fit(training: Training, next_window: NextWindow) -> None:
    """Keras `fit`: windows begin and end in its batch-end callback."""
    first = next_window(None)
    if not first:
        return
    training.model.compile(
        optimizer=training.optimizer,
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=training.settings.xla,
    )
    endless = 2**31 - 1
    callbacks = [_WindowCallback(first, next_window)]
    training.model.fit(training.pipeline, steps_per_epoch=endless, shuffle=False, verbose=0, callbacks=callbacks)


class _WindowCallback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types, so the base is Any
    """Counts batches and asks for the next window when one is full."""

    def __init__(self, first: int, next_window: NextWindow):
        super().__init__()
        self.steps, self.left, self.next_window = first, first, next_window

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002  # Keras names it
        """End the window on its last batch; Keras's logs are means since the last reset."""
        self.left -= 1
        if self.left == 0 and logs is not None:
            progress = Progress(self.steps, float(logs["loss"]), float(logs["accuracy"]))
            self.model.reset_metrics()
            self.steps = self.left = self.next_window(progress)
            self.model.stop_training = self.steps == 0


def _progress(steps: int, totals: Any) -> Progress:
    loss, accuracy = (float(total) / steps for total in totals)
    return Progress(steps, loss, accuracy)


ENGINES: dict[Engine, Callable[[Training, NextWindow], None]] = {
    "fit": _train_by_fit,
    "step": _train_by_step,
    "fused": _train_fused,
}


def train_epochs(training: Training, test: Split, on_epoch: Callable[[Epoch], None]) -> list[Epoch]:
    """Train the epochs of the settings, evaluating after each; `on_epoch` hears of every one as it ends."""
    history: list[Epoch] = []
    clock = time.monotonic()

    def next_window(progress: Progress | None) -> int:
        nonlocal clock
        if progress is not None:
            trained = time.monotonic()
            test_loss, test_accuracy = training.evaluate(test)
            evaluated = time.monotonic()
            seconds = (trained - clock, evaluated - trained)
            figures = (progress.loss, progress.accuracy, test_loss, test_accuracy)
            history.append(Epoch(len(history) + 1, *figures, *seconds))
            on_epoch(history[-1])
            clock = time.monotonic()
        return training.steps_per_epoch if len(history) < training.settings.epochs else 0

    training.train(next_window)
    return history
