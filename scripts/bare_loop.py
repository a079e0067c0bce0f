"""Does the harness slow training down? Its `step` engine against the same loop written bare, interleaved.

Two processes live at once: one is a worker of `bench` under its watchdog, the other runs the plain Keras loop
at the end of this file, which imports nothing of ours. In shuffled turns each trains some untimed steps
(the pause has filled its input buffers), then a timed window of the same length, while the other is idle.
Both draw batches by shuffled indices inside the step's `tf.function`, with the same prefetching and no autotuning,
on the CPU, so that only the harness differs; but two processes of one program differ, too, by 9 % in one of six
pairs where it was measured, so there are several pairs of processes, begun in turn by either side. Printed is the
ratio of their throughputs, harness ÷ bare (the Hodges-Lehmann centre over pairs of processes with its 95 % interval);
exit code 1 if it is proven to be below 0.99.

    .venv/bin/python scripts/bare_loop.py [--processes 8] [--pairs 6] [--steps 12] [--global-batch 200]
"""

import argparse
import os
import random
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


RUN_IN_STEPS = 6
PATIENCE_S = 600.0
LEAST = 0.99


def main() -> None:
    """Measure and print; `--bare` is the other process."""
    options = arguments()
    if options.bare:
        run_bare(options.global_batch)
        return
    from bench.measure.paired import centre_of

    try:
        with tempfile.TemporaryDirectory() as scratch:
            ratio = centre_of([measure(options, Path(scratch), number) for number in range(options.processes)])
    except RuntimeError as error:
        sys.exit(f"bare_loop.py: {error}")
    assert ratio, "there are enough processes"
    print(
        f"harness ÷ bare, global batch {options.global_batch}: {ratio.value:.3f} ({ratio.low:.3f}–{ratio.high:.3f}, "
        f"{options.processes} pairs of processes, {options.pairs} pairs of {options.steps} steps each)"
    )
    sys.exit(ratio.high < LEAST)


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line, or of `words`; too few of anything is refused."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--processes", type=int, default=8, help="pairs of them")
    parser.add_argument("--pairs", type=int, default=6, help="of windows, in each pair of processes")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--global-batch", type=int, default=200)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.bare:
        return options  # the loop itself has nothing of this product
    from bench.measure.paired import fewest

    if options.processes < fewest() or min(options.pairs, options.steps, options.global_batch) < 1:
        parser.error(f"give --pairs, --steps, --global-batch of 1 or more, and --processes of {fewest()} or more")
    return options


def measure(options: argparse.Namespace, scratch: Path, number: int) -> float:
    """Throughput of a fresh harness ÷ that of a fresh bare loop: the centre over pairs of their windows."""
    from bench.measure.paired import centre

    loops = [bare_loop, harness_loop]
    with ExitStack() as stack:
        begun = loops if number % 2 else reversed(loops)
        window_s = {loop: stack.enter_context(loop(options.global_batch, scratch)) for loop in begun}
        for loop in loops:
            window_s[loop](options.steps)
        ratios = []
        for _ in range(options.pairs):
            seconds = {}
            for loop in random.sample(loops, 2):
                window_s[loop](RUN_IN_STEPS)
                seconds[loop] = window_s[loop](options.steps)
            ratios.append(seconds[bare_loop] / seconds[harness_loop])
    return centre(ratios)


@contextmanager
def harness_loop(global_batch: int, scratch: Path) -> Iterator[Callable[[int], float]]:
    """A worker of `bench`: what is yielded has it train so many steps, and tells the seconds."""
    from bench.execute.session import LOCAL_WORKER, WorkerSession
    from bench.protocol.answers import WindowDone
    from bench.protocol.commands import Prepare, RunWindow
    from bench.trial import Cell, Trial

    with closing(WorkerSession(LOCAL_WORKER, scratch / "worker.log")) as session:

        def window_s(steps: int) -> float:
            session.say(RunWindow(steps=steps))
            done = session.hear(PATIENCE_S)
            assert isinstance(done, WindowDone), done
            return done.window_s

        session.hear(PATIENCE_S)
        session.say(Prepare(trial=Trial(cell=Cell(global_batch=global_batch))))
        session.hear(PATIENCE_S)
        yield window_s


def environment_of_a_worker(variables: Mapping[str, str]) -> dict[str, str]:
    """On the CPU, the shell's without what a worker of `bench` ignores, and `variables` that the shell has not set."""
    from bench.protocol.variables import IGNORED_VARIABLES  # the loop itself has nothing of this product

    shell = {name: value for name, value in os.environ.items() if name not in IGNORED_VARIABLES}
    return {**variables, **shell, "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}


@contextmanager
def bare_loop(global_batch: int, scratch: Path) -> Iterator[Callable[[int], float]]:
    """The plain loop in its process: what is yielded has it train so many steps, and tells the seconds."""
    log = scratch / "bare.log"
    words = [sys.executable, __file__, "--bare", "--global-batch", str(global_batch)]
    with log.open("w") as errors:
        bare = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment_of_a_worker({}),
        )

    def window_s(steps: int) -> float:
        with suppress(BrokenPipeError):  # of one that has died its silence tells, too
            print(steps, file=bare.stdin, flush=True)
        answered, _, _ = select.select([bare.stdout], [], [], PATIENCE_S)
        line = bare.stdout.readline() if answered else ""
        if not line:
            raise RuntimeError(f"the bare loop gave no answer: {(log.read_text().splitlines() or ['nothing'])[-1]}")
        return float(line)

    try:
        window_s(1)  # it is ready once it has trained, as a worker is
        yield window_s
    finally:
        bare.kill()
        bare.wait()
        with suppress(BrokenPipeError):  # what it did not read any more
            bare.stdin.close()


def bare_batches(global_batch: int) -> "tf.data.Dataset":
    """Shuffled batches of MNIST, prefetched as the harness does it."""
    import numpy as np
    import tensorflow as tf

    archive = np.load(Path(__file__).parents[1] / "mnist_cnn" / "assets" / "mnist.npz")
    images, labels = tf.constant(archive["x_train"]), tf.constant(archive["y_train"])
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.inject_prefetch = False
    return (
        tf.data.Dataset.range(len(archive["y_train"]))
        .shuffle(len(archive["y_train"]))
        .batch(global_batch, drop_remainder=True)
        .map(
            lambda indices: (
                tf.cast(tf.gather(images, indices), tf.float32)[..., tf.newaxis] / 255.0,
                tf.one_hot(tf.gather(labels, indices), 10),
            )
        )
        .repeat()
        .prefetch(2)
        .with_options(options)
    )


def bare_model() -> "keras.Model":
    """The classic network."""
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def run_bare(global_batch: int) -> None:
    """The plain loop: answers each line `steps` on stdin with the seconds that so many steps took."""
    import keras
    import tensorflow as tf

    model, optimizer = bare_model(), keras.optimizers.RMSprop()
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(batches):
        images, labels = next(batches)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(keras.losses.categorical_crossentropy(labels, model(images, training=True)))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    batches = iter(bare_batches(global_batch))
    for line in sys.stdin:
        began = time.perf_counter()
        for _ in range(int(line)):
            loss = step(batches)
        loss.numpy()
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main()
