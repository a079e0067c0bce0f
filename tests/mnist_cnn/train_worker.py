"""One worker of several, as a plain process: `python train_worker.py FOLDER JOBS`, its place in TF_CONFIG.

Every job is trained with one strategy, for a second one would meet the first one's collective keys.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mnist_cnn.dataset import Dataset, Split, load_dataset
from mnist_cnn.settings import TrainingSettings
from mnist_cnn.training import Training, agree_on_finite


def tiny() -> Dataset:
    embedded = load_dataset()
    train = Split(embedded.train.images[:80], embedded.train.labels[:80])
    return Dataset(train, Split(embedded.test.images[:100], embedded.test.labels[:100]), "tiny", "")


def train(strategy: tf.distribute.Strategy, rank: int, job: dict[str, Any]) -> dict[str, np.ndarray]:
    """Train the windows of a job; this worker's copies of the weights and what its windows told."""
    keras.config.set_dtype_policy(job["policy"])
    settings = TrainingSettings(**{"global_batch": 4, "seed": 1, "epochs": 1, **job["settings"]})
    training, told = Training(settings, tiny(), strategy), []
    asked = iter([*job["windows"], 0])
    training.train(lambda progress: (told.append(progress), next(asked))[1])
    keras.config.set_dtype_policy("float32")
    found = {f"weight {number:02}": weight for number, weight in enumerate(training.model.get_weights())}
    found["told"] = np.array([(one.steps, one.loss, one.accuracy) for one in told[1:]])
    found["iterations"] = training.optimizer.iterations.numpy()
    graphs = [traced.graph.as_graph_def() for traced in training.program._list_all_concrete_functions()]
    nodes = [
        node
        for graph in graphs
        for part in [graph.node, *(f.node_def for f in graph.library.function)]
        for node in part
    ]
    found["collectives"] = np.array(sum(node.op == "CollectiveReduceV2" for node in nodes))
    if "dropout" in settings.variant:
        image = tf.ones((1, 28, 28, 1))
        found["masked"] = strategy.run(lambda: training.model(image, training=True)).numpy()
    if rank == 0:  # alone: a collective in it would wait for the others for ever
        found["evaluated"] = np.array(training.evaluate(tiny().test))
    return found


def loss_scaled_step(strategy: tf.distribute.Strategy, rank: int, job: dict[str, Any]) -> dict[str, np.ndarray]:
    """One step of a loss-scaled SGD from weight 1 with one gradient per worker; the weight and the scale after it."""
    with strategy.scope():
        weight = keras.Variable(1.0)
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0), initial_scale=8.0)
        optimizer.build([weight])

    @tf.function
    def step(gradient: tf.Tensor) -> None:
        strategy.run(lambda: optimizer.apply(agree_on_finite([gradient]), [weight]))

    step(tf.constant(job["gradients"][rank]))
    return {"weight": weight.numpy(), "scale": optimizer.dynamic_scale.numpy()}


def main(folder: Path, jobs: list[dict[str, Any]]) -> None:
    rank = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    ring = tf.distribute.experimental.CommunicationImplementation.RING
    options = tf.distribute.experimental.CommunicationOptions(implementation=ring)
    strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    for number, job in enumerate(jobs):
        found = (loss_scaled_step if "gradients" in job else train)(strategy, rank, job)
        np.savez(folder / f"{rank}-{number}.npz", **found)
        print(f"worker {rank}: job {number} is done", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
