"""Training the network: what one step does, how it is evaluated, and the plain run over epochs.

What repeats the step is in `mnist_cnn.engines`.
"""

import time
from collections.abc import Callable, Iterator
from copy import copy
from functools import cached_property, partial
from inspect import getclosurevars
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mnist_cnn.dataset import Dataset, Split
from mnist_cnn.engines import ENGINES, NextWindow, Progress
from mnist_cnn.history import Epoch
from mnist_cnn.model import IMAGE_SHAPE, build_cnn
from mnist_cnn.parameter_server import Updates, train_asynchronously
from mnist_cnn.pipeline import Share, build_pipeline, lookup
from mnist_cnn.recipes import build_optimizer
from mnist_cnn.settings import TrainingSettings

EVALUATION_BATCH = 1000


class Training:
    """A model, its optimizer and its data under one strategy, ready to be trained by one engine.

    Build it in a process whose precision policy and threads are already set. A step is cut into `shards`
    whose gradients are added up, for one replica on a CPU (`TrainingSettings.shards`). Raises ValueError for
    `fit` with `resident` input: Keras's `fit` has no place for a look-up inside its step. Under a
    ParameterServerStrategy, which has neither, a global batch is that of one worker's step.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        dataset: Dataset,
        strategy: tf.distribute.Strategy | None = None,
        shards: int = 1,
    ):
        if settings.engine == "fit" and settings.input == "resident":
            raise ValueError("fit × resident: Keras fit cannot look images up inside its step")
        self.settings, self.shards = settings, shards
        self.strategy = strategy or tf.distribute.get_strategy()
        self.replicas = int(self.strategy.num_replicas_in_sync)
        self.steps_per_epoch = len(dataset.train.labels) // settings.global_batch
        # a user's keras.json may say otherwise
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")
        keras.utils.set_random_seed(settings.seed)
        self.share = _share_of(self.strategy)
        served = isinstance(self.strategy, tf.distribute.ParameterServerStrategy)
        if served and (settings.engine == "fit" or settings.input == "resident"):
            raise ValueError("a ParameterServerStrategy trains by step or fused, on real or synthetic input")
        self.updates = Updates(self.strategy) if served else None
        pipeline = partial(build_pipeline, settings.input, dataset.train, settings.global_batch, settings.seed)
        self.pipeline = self.updates.dataset(pipeline) if self.updates else pipeline(self.share)
        with self.strategy.scope():
            self.model = build_cnn(settings.variant)
            optimizer = build_optimizer(settings, self.steps_per_epoch)
            if keras.config.dtype_policy().name == "mixed_float16":
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            optimizer.build(self.model.trainable_variables)
            self.optimizer = optimizer
        self.resident = self._on_devices(dataset.train) if settings.input == "resident" else None
        self.program: Any = None
        """The `tf.function` that `step` and `fused` dispatch."""

    def train(self, next_window: NextWindow) -> None:
        """Train with the engine of the settings until `next_window` says 0."""
        train = train_asynchronously if self.updates else ENGINES[self.settings.engine]
        train(self, next_window)

    def with_resident_input(self, split: Split) -> "Training":
        """The same model, optimizer and strategy on another input: the split as variables on each device."""
        twin = copy(self)
        twin.__dict__.pop("replica_step", None)  # its graph looks images up as the first input did
        twin.pipeline = build_pipeline("resident", split, self.settings.global_batch, self.settings.seed, self.share)
        twin.resident = self._on_devices(split)
        return twin

    def iterator(self) -> Iterator[Any]:
        """A fresh pass over the pipeline, sharded over the replicas."""
        if self.updates is not None:
            return iter(self.pipeline)
        if self.share is not None:
            return iter(self.strategy.distribute_datasets_from_function(lambda _: self.pipeline))
        return iter(self.strategy.experimental_distribute_dataset(self.pipeline))

    def _on_devices(self, split: Split) -> tuple[Any, Any]:
        """The split's images and labels, of which every replica holds its own copy on its own device."""
        if self.share is None:
            with self.strategy.scope():
                return tf.Variable(split.images, trainable=False), tf.Variable(split.labels, trainable=False)
        # a variable of the scope would be sent to the other workers, by collectives that cannot carry bytes
        devices = self.strategy.extended.worker_devices

        def copies(array: np.ndarray) -> Any:
            def copy(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
                with tf.device(devices[context.replica_id_in_sync_group % len(devices)]):
                    return tf.identity(array)

            return self.strategy.experimental_distribute_values_from_function(copy)

        return copies(split.images), copies(split.labels)

    @cached_property
    def replica_step(self) -> Callable[..., Any]:
        """One replica's share of a step; compiled by XLA where the settings ask for it."""
        return tf.function(self._replica_step, jit_compile=True) if self.settings.xla else self._replica_step

    @tf.autograph.experimental.do_not_convert  # no Python loop or branch depends on data, so it has nothing to convert
    def global_step(self, batch: tuple[Any, ...]) -> tf.Tensor:
        """One step on all replicas: mean loss and accuracy as a (2,) float32, or this worker's part of them.

        Figures of all workers would cost two more collectives a step: whoever leads them adds the parts up.
        """
        figures = self.strategy.run(self.replica_step, args=(*(self.resident or ()), *batch))
        if self.share is not None:
            return tf.stack([tf.add_n(self.strategy.experimental_local_results(figure)) for figure in figures])
        return tf.stack([self.strategy.reduce(tf.distribute.ReduceOp.SUM, figure, axis=None) for figure in figures])

    def _replica_step(self, *batch: Any) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = batch if self.resident is None else lookup(*batch)
        parts = [self._backpropagate(*part) for part in self._in_shards(images, labels)]
        losses, accuracies, gradients = zip(*parts, strict=True)
        summed = [tf.add_n(shares) for shares in zip(*gradients, strict=True)]
        if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer) and self.replicas > 1:
            summed = agree_on_finite(summed)
        self.optimizer.apply(summed, self.model.trainable_variables)
        return tf.add_n(losses), tf.add_n(accuracies)

    def _backpropagate(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """Loss, accuracy and gradients of some images, each their share of the global batch's."""
        with tf.GradientTape() as tape:
            probabilities = self.model(images, training=True)
            # the optimizer sums gradients over replicas, so each divides by the global batch
            losses = keras.losses.categorical_crossentropy(labels, probabilities)
            loss = tf.reduce_sum(losses) / self.settings.global_batch
            scaled_loss = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled_loss, self.model.trainable_variables)
        right = tf.equal(tf.argmax(probabilities, axis=1), tf.argmax(labels, axis=1))
        return loss, tf.reduce_sum(tf.cast(right, tf.float32)) / self.settings.global_batch, gradients

    def _in_shards(self, images: tf.Tensor, labels: tf.Tensor) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """The images and labels in `shards` parts, which TensorFlow works on side by side."""
        if self.shards == 1:
            return [(images, labels)]
        bounds = [tf.shape(images)[0] * part // self.shards for part in range(self.shards + 1)]
        # neighbours in memory: so no image is copied
        return [(images[first:last], labels[first:last]) for first, last in pairwise(bounds)]

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
        def score_part(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            probabilities = self._evaluated(images, training=False)
            losses = keras.losses.sparse_categorical_crossentropy(labels, probabilities)
            return tf.reduce_sum(losses), tf.math.count_nonzero(tf.argmax(probabilities, axis=1) == labels)

        def score(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            sums = [score_part(*part) for part in self._in_shards(images, labels)]
            loss, right = (tf.add_n(parts) for parts in zip(*sums, strict=True))
            return loss, right

        signature = tf.TensorSpec((None, *IMAGE_SHAPE), tf.float32), tf.TensorSpec((None,), tf.int64)
        return tf.function(score, signature, autograph=False)  # type: ignore[no-any-return]  # tf.function has no types

    @cached_property
    def _evaluated(self) -> keras.Model:
        """The model, or where its weights live in other processes, one for copies of them."""
        return build_cnn(self.settings.variant) if self.updates else self.model

    def settle(self) -> None:
        """Wait for steps that are still under way, where a window does not."""
        if self.updates is not None:
            self.updates.settle()

    def evaluate(self, split: Split) -> tuple[float, float]:
        """Mean loss and accuracy over a split, on one device, in inference mode, of all steps so far."""
        self.settle()
        if self._evaluated is not self.model:
            self._evaluated.set_weights(self.model.get_weights())
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


def _share_of(strategy: tf.distribute.Strategy) -> Share | None:
    """The part of every batch that is this process's under a strategy of several workers, else None."""
    resolver = strategy.cluster_resolver
    if resolver is None or not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return None
    workers = len(resolver.cluster_spec().as_dict().get("worker", ())) or 1
    return Share(int(resolver.task_id or 0), workers, int(strategy.num_replicas_in_sync) // workers)


def share_cores(shards: int, cores: int) -> None:
    """Set the threads for so many shards, before TensorFlow's context exists; for one, its default stays.

    All operations share one pool of intra-op threads: with a shard per core each keeps to one thread, with fewer
    shards than cores the pool is as large as the machine. Only the first was measured, on two cores.
    """
    if shards > 1:
        tf.config.threading.set_intra_op_parallelism_threads(1 if shards >= cores else cores)
        tf.config.threading.set_inter_op_parallelism_threads(cores)


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
