"""Does the harness slow training down? Its `step` engine against the same loop written bare, interleaved.

Two processes stay alive: one is a worker of `bench` under its watchdog, the other runs the plain Keras loop
at the end of this file, which imports nothing of ours. In shuffled turns each trains some untimed steps
(the pause has filled its input buffers), then a timed window of the same length, while the other is idle.
Both draw batches by shuffled indices, so that only the harness differs. Printed is the ratio of their
throughputs, harness ÷ bare, with a 95 % t-interval over the log-ratios of pairs; exit code 1 if the ratio is
below 0.98.

    .venv/bin/python scripts/bare_loop.py [--pairs 30] [--steps 20] [--global-batch 200]
"""

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUN_IN_STEPS = 6


def main() -> None:
    """Measure and print; `--bare` is the other process."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--global-batch", type=int, default=200)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        run_bare(options.global_batch)
        return
    with tempfile.TemporaryDirectory() as scratch:
        ratios = measure(options, Path(scratch) / "worker.log")
    mean, spread = sum(ratios) / len(ratios), 0.0
    if len(ratios) > 1:
        from scipy.special import stdtrit

        variance = sum((ratio - mean) ** 2 for ratio in ratios) / (len(ratios) - 1)
        spread = float(stdtrit(len(ratios) - 1, 0.975)) * math.sqrt(variance / len(ratios))
    low, ratio, high = (math.exp(value) for value in (mean - spread, mean, mean + spread))
    print(
        f"harness ÷ bare, global batch {options.global_batch}: {ratio:.3f} "
        f"({low:.3f} to {high:.3f}, n={len(ratios)} pairs of {options.steps} steps)"
    )
    sys.exit(ratio < 0.98)


def measure(options: argparse.Namespace, log: Path) -> list[float]:
    """Log-ratios of throughput, harness ÷ bare, one per pair of windows."""
    from bench.execute.session import LOCAL_WORKER, WorkerSession
    from bench.protocol import Finish, Prepare, RunWindow, WindowDone
    from bench.trial import Cell, Trial

    bare = subprocess.Popen(
        [sys.executable, __file__, "--bare", "--global-batch", str(options.global_batch)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert bare.stdin is not None
    assert bare.stdout is not None
    session = WorkerSession(LOCAL_WORKER, log)

    def harness_window(steps: int) -> float:
        session.say(RunWindow(steps=steps))
        done = session.hear(600)
        assert isinstance(done, WindowDone), done
        return done.window_s

    def bare_window(steps: int) -> float:
        print(steps, file=bare.stdin, flush=True)
        return float(json.loads(bare.stdout.readline()))

    try:
        session.hear(60)
        session.say(Prepare(trial=Trial(cell=Cell(global_batch=options.global_batch))))
        session.hear(600)
        sides = [harness_window, bare_window]
        for side in sides:
            side(options.steps)
        log_ratios = []
        for _ in range(options.pairs):
            seconds = {}
            for side in random.sample(sides, 2):
                side(RUN_IN_STEPS)
                seconds[side] = side(options.steps)
            log_ratios.append(math.log(seconds[bare_window] / seconds[harness_window]))
        session.say(Finish())
        session.hear(60)
    finally:
        session.close()
        bare.kill()
        bare.wait()
    return log_ratios


def run_bare(global_batch: int) -> None:
    """The plain loop: answers each line `steps` on stdin with the seconds that so many steps took."""
    import keras
    import numpy as np
    import tensorflow as tf

    archive = np.load(Path(__file__).parents[1] / "mnist_cnn" / "assets" / "mnist.npz")
    images, labels = tf.constant(archive["x_train"]), tf.constant(archive["y_train"])
    data = (
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
    )
    layers = keras.layers
    model = keras.Sequential(
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
    optimizer = keras.optimizers.RMSprop()
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(keras.losses.categorical_crossentropy(labels, model(images, training=True)))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    batches = iter(data)
    for line in sys.stdin:
        began = time.perf_counter()
        for _ in range(int(line)):
            loss = step(*next(batches))
        loss.numpy()
        print(json.dumps(time.perf_counter() - began), flush=True)


if __name__ == "__main__":
    main()
