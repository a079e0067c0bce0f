"""Workers without this product: MultiWorkerMirroredStrategy around the bare loop, whole windows in one tf.function.

    python bare_cluster.py RANK BATCH PORT…

is one of them, of as many as there are ports, on one CPU each: it answers each line `steps` on stdin with the seconds
that so many steps of BATCH images took. `BareCluster` starts them all.
"""

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE_S = 300.0


def run(rank: int, batch: int, ports: Sequence[int]) -> None:
    """Be one worker, until stdin ends."""
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": {"worker": [f"127.0.0.1:{port}" for port in ports]}, "task": {"type": "worker", "index": rank}}
    )
    import keras  # the cluster stands in the environment by now
    import tensorflow as tf  # likewise

    sys.path.append(str(ROOT / "scripts"))
    from bare_loop import bare_batches, bare_model  # its folder is known by now

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
        print(time.monotonic() - began, flush=True)


class BareCluster:
    """Live workers of the loop above, rank r on the r-th of some CPUs."""

    def __init__(self, workers: Sequence[subprocess.Popen[str]], logs: Sequence[Path]):
        self._workers, self._logs = workers, logs

    def windows_s(self, steps: int) -> list[float]:
        """Seconds of a window of each worker, all begun at the same time."""
        for worker in self._workers:
            print(steps, file=worker.stdin, flush=True)
        return [self._heard(*pair) for pair in zip(self._workers, self._logs, strict=True)]

    def _heard(self, worker: subprocess.Popen[str], log: Path) -> float:
        assert worker.stdout is not None
        answered, _, _ = select.select([worker.stdout], [], [], PATIENCE_S)
        line = worker.stdout.readline() if answered else ""
        if not line:
            raise RuntimeError(f"a bare worker gave no answer: {log.read_text(errors='replace')[-200:]}")
        return float(line)


@contextmanager
def bare_cluster(scratch: Path, batch: int, cpus: Sequence[int], variables: dict[str, str]) -> Iterator[BareCluster]:
    """So many workers with further variables in their environment; gone when the block ends."""
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
                    env={**os.environ, **variables},
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
