"""One of two workers, its place in TF_CONFIG: rank 0 computes for itself while rank 1 does nothing."""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from bench.protocol.commands import MeasureComputing
from bench.worker.afresh import Resumable
from bench.worker.computing import Computing
from bench.worker.strategies import barrier_of
from mnist_cnn.dataset import Dataset, Split, load_dataset
from mnist_cnn.settings import TrainingSettings


def train(strategy: tf.distribute.Strategy, engine: str, *, compute: bool) -> dict[str, np.ndarray]:
    """Train by an engine; if told to, rank 0 runs two windows of computing in between, with nobody to meet."""
    images = load_dataset().train
    tiny = Split(images.images[:80], images.labels[:80])
    settings = TrainingSettings(global_batch=8, seed=1, epochs=1, engine=engine, variant="batchnorm_dropout")
    training, meet = Resumable(settings, Dataset(tiny, tiny, "tiny", ""), strategy), barrier_of(strategy)
    training.piled_up = 3  # thrown away by rank 0 alone
    rank, asked = strategy.cluster_resolver.task_id, iter([2, 2, 0])
    found: dict[str, np.ndarray] = {}

    def next_window(progress: object) -> int:
        if compute and progress is not None and rank == 0 and "before" not in found:
            found["before"] = np.concatenate([weight.ravel() for weight in training.model.get_weights()])
            computing = Computing(training, lambda: None)
            told = [computing.run(MeasureComputing(steps=3, run_in=2)) for _ in range(2)]
            found["steps"], found["window_s"] = np.array([(one.steps, one.window_s) for one in told]).T
            found["after"] = np.concatenate([weight.ravel() for weight in training.model.get_weights()])
        meet()
        return next(asked)

    training.train(next_window)
    found["last"] = np.concatenate([weight.numpy().ravel() for weight in training.model.trainable_variables])
    return found


def main(folder: Path) -> None:
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    for engine in ("step", "fused"):
        rank = strategy.cluster_resolver.task_id
        np.savez(folder / f"{engine}-{rank}.npz", **train(strategy, engine, compute=True))
        np.savez(folder / f"{engine}-plain-{rank}.npz", **train(strategy, engine, compute=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
