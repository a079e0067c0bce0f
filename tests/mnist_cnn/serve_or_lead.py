"""One process of a parameter-server cluster: `python serve_or_lead.py FOLDER JOBS`, its place in TF_CONFIG.

Workers and servers serve until they are killed; the coordinator trains every job and saves what it found.
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
from mnist_cnn.parameter_server import Updates
from mnist_cnn.pipeline import build_pipeline
from mnist_cnn.settings import TrainingSettings
from mnist_cnn.training import Training


def tiny() -> Dataset:
    embedded = load_dataset()
    train = Split(embedded.train.images[:80], embedded.train.labels[:80])
    return Dataset(train, Split(embedded.test.images[:100], embedded.test.labels[:100]), "tiny", "")


class ConstantGradients(Training):
    """Every gradient is 1, so that weights tell how many steps were applied."""

    def _backpropagate(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        loss, accuracy, gradients = super()._backpropagate(images, labels)
        return loss, accuracy, [tf.ones_like(gradient) for gradient in gradients]


def train(strategy: tf.distribute.Strategy, job: dict[str, Any]) -> dict[str, Any]:
    """Train the windows of a job; what they told, what was counted in the end, the biases, the evaluation."""
    settings = TrainingSettings(**{"global_batch": 4, "seed": 1, "epochs": 1, **job["settings"]})
    training = (ConstantGradients if job["constant"] else Training)(settings, tiny(), strategy)
    told: list[Any] = []
    asked = iter([*job["windows"], 0])
    training.train(lambda progress: (told.append(progress), next(asked))[1])
    assert training.updates is not None
    training.settle()
    weights = training.model.get_weights()
    alone = keras.models.clone_model(training.model)
    alone.set_weights(weights)
    images = tiny().test.images[..., np.newaxis] / np.float32(255)
    return {
        "told": np.array([(one.steps, one.loss, one.accuracy) for one in told[1:]]),
        "counted": training.updates.steps_done,
        "biases": np.concatenate([weight for weight in weights if weight.ndim == 1]),
        "evaluated": np.array(training.evaluate(tiny().test)),
        "right": np.mean(alone.predict(images, verbose=0).argmax(axis=1) == tiny().test.labels),
    }


def draw(strategy: tf.distribute.Strategy) -> dict[str, Any]:
    """How often each of 80 images is drawn by each worker in 10 steps of 4."""
    updates, whole = Updates(strategy), tiny().train
    with strategy.scope():
        drawn = tf.Variable(tf.zeros((updates.workers, 80)), trainable=False)
    numbered = Split(np.broadcast_to(np.arange(80, dtype=np.uint8)[:, None, None], (80, 28, 28)), whole.labels)
    iterator = iter(updates.dataset(lambda turn: build_pipeline("real", numbered, 4, 1, turn)))

    @tf.function
    def step(iterator: Any) -> None:
        worker = tf.distribute.coordinator.experimental_get_current_worker_index()
        images, _ = next(iterator)
        numbers = tf.cast(tf.round(images[:, 0, 0, 0] * 255), tf.int64)
        seen = tf.reduce_sum(tf.one_hot(numbers, 80), axis=0)
        drawn.assign_add(tf.one_hot(worker, updates.workers)[:, None] * seen[None, :])
        updates.count(tf.zeros(2), worker)

    for _ in range(10):
        updates.hand_out(step, (iterator,), 1)
    updates.settle()
    return {"drawn": drawn.numpy(), "counted": updates.steps_done}


def main(folder: Path, jobs: dict[str, dict[str, Any]]) -> None:
    place = json.loads(os.environ["TF_CONFIG"])
    if place["task"]["type"] != "chief":
        config = tf.compat.v1.ConfigProto(inter_op_parallelism_threads=4)
        names = {"job_name": place["task"]["type"], "task_index": place["task"]["index"]}
        tf.distribute.Server(place["cluster"], **names, protocol="grpc", config=config, start=True).join()
    strategy = tf.distribute.ParameterServerStrategy(tf.distribute.cluster_resolver.TFConfigClusterResolver())
    for name, job in jobs.items():
        np.savez(folder / f"{name}.npz", **train(strategy, job))
    np.savez(folder / "draws.npz", **draw(strategy))
    print("all jobs are done", file=sys.stderr, flush=True)
    os._exit(0)  # its threads would go on waiting for workers that are about to be killed


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
