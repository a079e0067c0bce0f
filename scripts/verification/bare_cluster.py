"""Workers without this product: MultiWorkerMirroredStrategy around the bare loop, whole windows in one tf.function.

    python bare_cluster.py RANK BATCH PORT…

is one of them, of as many as there are ports, on one CPU each: it answers each line `steps` on stdin with the seconds
that so many steps of BATCH images took, and the sum of its weights. `bare_cluster` starts them all.
"""

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))
from bare_loop import bare_batches, bare_model, environment_of_a_worker

PATIENCE_S = 300.0


def run(rank: int, batch: int, ports: Sequence[int]) -> None:
    """Be one worker, until stdin ends."""
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": {"worker": [f"127.0.0.1:{port}" for port in ports]}, "task": {"type": "worker", "index": rank}}
    )
    import keras  # the cluster stands in the environment by now
    import tensorflow as tf  # likewise

    options = tf.distribute.experimental.CommunicationOptions(
        implementation=tf.distribute.experimental.CommunicationImplementation.RING
    )
    strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    with strategy.scope():
        model, optimizer = bare_model(), keras.optimizers.RMSprop()
        optimizer.build(model.trainable_variables)

    def step(images: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            losses = keras.losses.categorical_crossentropy(labels, model(images, training=True))
            loss = tf.reduce_sum(losses) / (batch * len(ports))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    @tf.function
    def window(batches: Any, steps: Any) -> Any:
        loss = tf.zeros(())
        for _ in tf.range(steps):
            loss += strategy.run(step, args=next(batches))
        return loss

    batches = iter(strategy.distribute_datasets_from_function(lambda _: bare_batches(batch)))
    for line in sys.stdin:
        began = time.monotonic()
        window(batches, tf.constant(int(line))).numpy()
        seconds = time.monotonic() - began
        print(seconds, sum(float(weights.sum()) for weights in model.get_weights()), flush=True)


class BareCluster:
    """Live workers of the loop above, rank r on the r-th of some CPUs."""

    def __init__(self, workers: Sequence[subprocess.Popen[str]], logs: Sequence[Path]):
        self._workers, self._logs = workers, logs

    def windows_s(self, steps: int) -> list[float]:
        """Seconds of a window of all, which is that of the slowest; raises RuntimeError where one gives no answer."""
        return [max(seconds for seconds, _ in self.windows(steps))]

    def windows(self, steps: int) -> list[tuple[float, float]]:
        """Of each worker the seconds of a window that all begin at once, and the sum of its weights after it."""
        with suppress(BrokenPipeError):  # why one is gone stands in its log
            for worker in self._workers:
                print(steps, file=worker.stdin, flush=True)
        deadline, heard = time.monotonic() + PATIENCE_S, dict[int, str]()
        pipes = {worker.stdout: rank for rank, worker in enumerate(self._workers)}
        while len(heard) < len(self._workers):
            left = [pipe for pipe, rank in pipes.items() if rank not in heard]
            answered, _, _ = select.select(left, [], [], max(0.0, deadline - time.monotonic()))
            for pipe in answered or left[:1]:
                line = pipe.readline() if answered and pipe else ""
                if not line:
                    raise RuntimeError(f"bare worker {pipes[pipe]} gave no answer: {self._last_line(pipes[pipe])}")
                heard[pipes[pipe]] = line
        figures = [heard[rank].split() for rank in range(len(self._workers))]
        return [(float(seconds), float(weights)) for seconds, weights in figures]

    def _last_line(self, rank: int) -> str:
        lines = self._logs[rank].read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "its log is empty"


@contextmanager
def bare_cluster(scratch: Path, batch: int, cpus: Sequence[int], variables: Mapping[str, str]) -> Iterator[BareCluster]:
    """A worker on each of some CPUs, under the conditions of this product's own; gone when the block ends.

    `variables` are set where the shell has not set them; what a worker of this product ignores is left out.
    """
    environment = environment_of_a_worker(variables)
    ports, logs = _free_ports(len(cpus)), [scratch / f"bare-{len(cpus)}-{rank}.log" for rank in range(len(cpus))]
    with ExitStack() as stack:
        workers = []
        for rank, (cpu, log) in enumerate(zip(cpus, logs, strict=True)):
            errors = stack.enter_context(log.open("w"))
            words = [*on_cpu(cpu), sys.executable, "-P", __file__, str(rank), str(batch), *map(str, ports)]
            workers.append(
                subprocess.Popen(
                    words,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    env=environment,
                )
            )
            stack.callback(workers[-1].wait)
            stack.callback(workers[-1].kill)
        yield BareCluster(workers, logs)


def on_cpu(cpu: int) -> list[str]:
    """What starts a command that sees no other CPU."""
    code = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); os.execv(sys.argv[2], sys.argv[2:])"
    return [sys.executable, "-c", code, str(cpu)]


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.create_server(("127.0.0.1", 0)))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]), [int(port) for port in sys.argv[3:]])
