"""The three engines: what repeats a training step.

An engine is a function that trains until it is told to stop: before every window it asks `next_window`,
handing over what the last one did, for how many steps come next; 0 ends the training. The question is
asked from where the engine is (for `fit`, inside a Keras callback), so a benchmark can read its clock
there and every engine is measured, and trained, by the same code.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from mnist_cnn.settings import Engine

if TYPE_CHECKING:
    from mnist_cnn.training import Training


@dataclass(frozen=True)
class Progress:
    """What a window of `steps` training steps did: mean loss per image, share of images classified right."""

    steps: int
    loss: float
    accuracy: float


NextWindow = Callable[[Progress | None], int]
"""Takes the last window's progress (None before the first), returns the steps of the next; 0 stops."""


def step_program(training: "Training") -> Any:
    """One step as a `tf.function` of (iterator, (2,) totals so far), which returns the new totals."""

    @tf.function
    def step(iterator: Iterator[Any], totals: tf.Tensor) -> tf.Tensor:
        return totals + training.global_step(next(iterator))

    return step


def window_program(training: "Training") -> Any:
    """A window as a `tf.function` of (iterator, () int32 steps), which returns the (2,) totals of them all."""

    @tf.function
    def window(iterator: Iterator[Any], steps: tf.Tensor) -> tf.Tensor:
        totals = tf.zeros(2)
        for _ in tf.range(steps):
            totals += training.global_step(next(iterator))
        return totals

    return window


def dispatched(step: Any, iterator: Iterator[Any], steps: int) -> tf.Tensor:
    """The (2,) totals of so many steps, each dispatched by itself; they stay on the device."""
    totals = tf.zeros(2)
    for _ in range(steps):
        totals = step(iterator, totals)
    return totals


def _train_by_step(training: "Training", next_window: NextWindow) -> None:
    """One dispatch per step."""
    step = training.program = step_program(training)
    iterator = training.iterator()
    steps = next_window(None)
    while steps:
        steps = next_window(_progress(steps, dispatched(step, iterator, steps)))


def _train_fused(training: "Training", next_window: NextWindow) -> None:
    """One dispatch per window: the loop over steps is inside the graph."""
    whole_window = training.settings.xla and training.resident is not None
    run = training.program = _xla_window(training) if whole_window else window_program(training)
    longest = training.steps_per_epoch if whole_window else None
    iterator = training.iterator()
    steps = next_window(None)
    while steps:
        totals = [run(iterator, tf.constant(part)) for part in parts(steps, longest)]
        steps = next_window(_progress(steps, sum(totals[1:], start=totals[0])))


def parts(steps: int, longest: int | None) -> list[int]:
    """A window's steps cut into dispatches of at most `longest`."""
    if longest is None:
        return [steps]
    return [min(longest, steps - done) for done in range(0, steps, longest)]


def _xla_window(training: "Training") -> Any:
    """A window of at most an epoch as one XLA program, fed with its index batches.

    An iterator cannot enter an XLA cluster, and XLA compiles for fixed shapes: so the indices are drawn
    first, padded to an epoch's length, and the number of steps is data.
    """
    longest, global_batch = training.steps_per_epoch, training.settings.global_batch

    @tf.function(jit_compile=True)
    def compiled(indices: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        step, totals = tf.constant(0), tf.zeros(2)
        while step < steps:  # over tf.range(steps), XLA would take steps for a constant and compile for each
            totals += training.global_step((indices[step],))
            step += 1
        return totals

    @tf.function
    def window(iterator: Iterator[Any], steps: tf.Tensor) -> tf.Tensor:
        drawn = tf.TensorArray(tf.int64, size=steps, element_shape=(global_batch,))
        for step in tf.range(steps):
            drawn = drawn.write(step, next(iterator)[0])
        padded = tf.pad(drawn.stack(), [[0, longest - steps], [0, 0]])
        return compiled(tf.ensure_shape(padded, (longest, global_batch)), steps)

    return window


def _train_by_fit(training: "Training", next_window: NextWindow) -> None:
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


def _progress(steps: int, totals: tf.Tensor) -> Progress:
    """Waits for the device: the totals are known when the last step is done."""
    loss, accuracy = (float(total) / steps for total in totals.numpy())
    return Progress(steps, loss, accuracy)


ENGINES: dict[Engine, Callable[["Training", NextWindow], None]] = {
    "fit": _train_by_fit,
    "step": _train_by_step,
    "fused": _train_fused,
}
