"""A worker with a fault of known kind, to be recognised: started like any other, faulty in what it imports.

    python faulty_worker.py KIND AMOUNT

`input` and `dispatch` sleep AMOUNT seconds, for each batch in the pipeline's map or before each dispatch of a step;
`compute` multiplies AMOUNT pairs of 256 × 256 matrices in each step; `memory` holds AMOUNT bytes from the start;
whatever was asked, `settings` compiles nothing with XLA, `unasked` every step, and `deaf` trains one replica in float32
by oneDNN, with the default engine, input, network and recipe; `none` is a clean twin.

AMOUNT may be a file that holds it, read at every batch or step: so one process is clean and faulty in turn.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Amount = Callable[[], float]
HELD: list[Any] = []
"""What the fault `memory` keeps alive."""


def main() -> None:
    """Be the watchdog, and under it the worker with its fault."""
    if "--child" not in sys.argv:
        from bench.worker import watchdog

        watchdog.main([__file__, *sys.argv[1:], "--child"])
    os.environ["KERAS_BACKEND"] = "tensorflow"
    from bench.worker import conversation

    kind, amount, *_ = sys.argv[1:]
    del sys.argv[1:]  # the worker takes its own words
    FAULTS[kind](amount_of(amount))
    conversation.main()


def amount_of(word: str) -> Amount:
    """What tells how large the fault is now: always the same number, or what a file holds."""
    try:
        number = float(word)
    except ValueError:
        return lambda: float(Path(word).read_text(encoding="ascii"))
    return lambda: number


def slow_input(seconds: Amount) -> None:
    """Each batch sleeps in the pipeline's map, before the prefetching."""
    import numpy as np
    import tensorflow as tf

    from mnist_cnn import pipeline, training  # noqa: F401  # has its own look-up by now, which stays

    look_up = pipeline.lookup

    def pause() -> Any:
        time.sleep(seconds())
        return np.float32(0)

    def slowed(images: Any, labels: Any, indices: Any) -> Any:
        with tf.control_dependencies([tf.numpy_function(pause, [], tf.float32)]):
            return look_up(images, labels, tf.identity(indices))

    pipeline.lookup = slowed


def slow_dispatch(seconds: Amount) -> None:
    """Python sleeps before each step that it dispatches."""
    from mnist_cnn import engines

    make = engines.step_program

    class Delayed:
        """A `tf.function` that is late."""

        def __init__(self, program: Any):
            self.program = program

        def __call__(self, *arguments: Any) -> Any:
            time.sleep(seconds())
            return self.program(*arguments)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.program, name)

    engines.step_program = lambda training: Delayed(make(training))


def more_compute(products: Amount) -> None:
    """Each step multiplies further matrices, which change nothing."""
    import numpy as np
    import tensorflow as tf

    from mnist_cnn.training import Training

    backpropagate = Training._backpropagate

    def loaded(self: Any, images: Any, labels: Any) -> Any:
        loss, accuracy, gradients = backpropagate(self, images, labels)
        count = tf.numpy_function(lambda: np.int32(round(products())), [], tf.int32)
        first = tf.fill((256, 256), tf.stop_gradient(images[0, 0, 0, 0]) * 1e-6)
        _, last = tf.while_loop(
            lambda place, _: place < count, lambda place, matrix: (place + 1, tf.matmul(matrix, matrix)), (0, first)
        )
        return loss + 0.0 * last[0, 0], accuracy, gradients

    Training._backpropagate = loaded


def more_memory(size_bytes: Amount) -> None:
    """So many bytes are allocated and touched."""
    import numpy as np

    HELD.append(np.ones(round(size_bytes()), np.uint8))


def other_settings(_: Amount) -> None:
    """The step is never compiled by XLA, whatever was asked."""
    from mnist_cnn.training import Training

    Training.replica_step = property(lambda self: self._replica_step)


def unasked_xla(_: Amount) -> None:
    """The step is always compiled by XLA."""
    import tensorflow as tf

    from mnist_cnn.training import Training

    Training.replica_step = property(lambda self: tf.function(self._replica_step, jit_compile=True))


def plain(_: Amount) -> None:
    """One replica in float32 by oneDNN; of all that is asked of the training its batch alone is heeded."""
    from mnist_cnn.settings import ONEDNN_SWITCH, TrainingSettings

    os.environ[ONEDNN_SWITCH] = "1"  # read as TensorFlow is imported, which is next
    import tensorflow as tf

    from bench.worker import live_trial

    live_trial._set_precision = lambda _: None
    live_trial.build_strategy = lambda _, __: tf.distribute.get_strategy()
    live_trial._training_settings = lambda trial: TrainingSettings(global_batch=trial.cell.global_batch)


FAULTS = {
    "none": lambda _: None,
    "input": slow_input,
    "dispatch": slow_dispatch,
    "compute": more_compute,
    "memory": more_memory,
    "settings": other_settings,
    "unasked": unasked_xla,
    "deaf": plain,
}

if __name__ == "__main__":
    main()
