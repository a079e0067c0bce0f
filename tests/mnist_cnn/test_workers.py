"""One, two and four worker processes on loopback train what one device does.

How far weights may be apart is derived in test_engines.py: the workers' gradients are summed in another order, no more.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from socket import create_server
from typing import Any

import numpy as np
import pytest

from mnist_cnn.training import Training

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # two cores shared by four TensorFlows, a graph a job
TOLERANCE = {"sgd": 1e-6, "rmsprop": 1e-5}
WINDOWS = [7, 13]
JOBS: dict[str, dict[str, Any]] = {
    "step real sgd": {"optimizer": "sgd"},
    "step real rmsprop": {},
    "fused real sgd": {"optimizer": "sgd", "engine": "fused"},
    "step resident sgd": {"optimizer": "sgd", "input": "resident"},
    "fused resident rmsprop": {"engine": "fused", "input": "resident"},
    "step synthetic sgd": {"optimizer": "sgd", "input": "synthetic"},
    "tuned": {"recipe": "tuned", "optimizer": "sgd"},
    "variants": {"variant": "batchnorm_dropout", "optimizer": "sgd"},
    "half": {"engine": "fused"},
}
OF_FOUR = ["step real sgd", "fused resident rmsprop", "step synthetic sgd"]
OF_ONE = ["step real sgd", "fused resident rmsprop"]
ALIKE = [job for job in JOBS if job not in {"variants", "half"}]
INFINITE = {"infinity on 0": [float("inf"), 0.8], "infinity on 1": [0.8, float("inf")], "finite": [0.8, 2.4]}
Found = list[dict[str, np.ndarray]]


def free_ports(count: int) -> list[int]:
    """Held all at once, so that no two are the same."""
    held = [create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def run_workers(folder: Path, workers: int, jobs: dict[str, dict[str, Any]]) -> dict[str, Found]:
    """Run the jobs in as many processes; what every one of them found, by job."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(workers)]}
    script = Path(__file__).with_name("train_worker.py")
    command = [sys.executable, str(script), str(folder), json.dumps(list(jobs.values()))]
    processes = []
    for rank in range(workers):
        place = {"cluster": cluster, "task": {"type": "worker", "index": rank}}
        env = os.environ | {
            "TF_CONFIG": json.dumps(place),
            "CUDA_VISIBLE_DEVICES": "-1",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        with (folder / f"{rank}.log").open("wb") as log:
            processes.append(subprocess.Popen(command, env=env, stdout=log, stderr=log))
    try:
        codes = [process.wait(240) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for rank, code in enumerate(codes):
        assert code == 0, (folder / f"{rank}.log").read_text()[-3000:]
    return {
        name: [dict(np.load(folder / f"{rank}-{number}.npz")) for rank in range(workers)]
        for number, name in enumerate(jobs)
    }


def training_job(name: str) -> dict[str, Any]:
    half = name == "half"
    policy, windows = ("mixed_float16", [20, 20, 20]) if half else ("float32", WINDOWS)
    return {"settings": JOBS[name], "windows": windows, "policy": policy}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    jobs = {name: training_job(name) for name in JOBS} | {name: {"gradients": INFINITE[name]} for name in INFINITE}
    return run_workers(tmp_path_factory.mktemp("two"), 2, jobs)


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    return run_workers(tmp_path_factory.mktemp("four"), 4, {name: training_job(name) for name in OF_FOUR})


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    return run_workers(tmp_path_factory.mktemp("lone"), 1, {name: training_job(name) for name in OF_ONE})


@pytest.fixture(scope="module")
def alone(build: Callable[..., Training]) -> Callable[..., tuple[Training, np.ndarray]]:
    """The same windows of a job's model, data and recipe on one device by engine `step`, and what they told."""

    def alone(**settings: Any) -> tuple[Training, np.ndarray]:
        told: list[Any] = []
        asked = iter([*WINDOWS, 0])
        training = build(**settings)
        training.train(lambda progress: (told.append(progress), next(asked))[1])
        return training, np.array([(one.steps, one.loss, one.accuracy) for one in told[1:]])

    return cache(alone)


def same_data(name: str) -> dict[str, Any]:
    """The settings of a job without those that change no weight: engine, and `resident`, in `real`'s order."""
    kept = {setting: value for setting, value in JOBS[name].items() if setting != "engine"}
    return {setting: value for setting, value in kept.items() if value != "resident"}


def weights(found: dict[str, np.ndarray]) -> list[np.ndarray]:
    return [found[name] for name in sorted(found) if name.startswith("weight ")]


def assert_trained_alike(found: Found, alone: Callable[..., tuple[Training, np.ndarray]], name: str, tiny) -> None:
    training, told = alone(**same_data(name))
    for worker in found:
        pairs = zip(weights(worker), training.model.get_weights(), strict=True)
        far = max(np.abs(ours - theirs).max() for ours, theirs in pairs)
        assert far < TOLERANCE[JOBS[name].get("optimizer", "rmsprop")]
        assert worker["iterations"] == sum(WINDOWS)
    # every worker tells its part of the sums
    np.testing.assert_array_equal(found[0]["told"][:, 0], told[:, 0])
    np.testing.assert_allclose(sum(worker["told"][:, 1] for worker in found), told[:, 1], rtol=1e-5)
    np.testing.assert_allclose(sum(worker["told"][:, 2] for worker in found), told[:, 2], atol=1e-6)
    assert found[0]["evaluated"] == pytest.approx(training.evaluate(tiny.test), rel=1e-4)


@pytest.mark.parametrize("name", ALIKE)
def test_two_workers_train_like_one_device(two, alone, tiny, name):
    """Two workers on halves of the same global batches end with the weights, losses and evaluation of one device."""
    assert_trained_alike(two[name], alone, name, tiny)


@pytest.mark.parametrize("name", OF_FOUR)
def test_four_workers_train_like_one_device(four, alone, tiny, name):
    """Four workers on quarters of the same global batches end with the weights, losses and evaluation of one device."""
    assert_trained_alike(four[name], alone, name, tiny)


@pytest.mark.parametrize("name", OF_ONE)
def test_a_lone_worker_trains_like_one_device(lone, alone, tiny, name):
    """One worker of the strategy ends with the weights, losses and evaluation of one device."""
    assert_trained_alike(lone[name], alone, name, tiny)


def test_a_step_has_one_collective(two):
    """All gradients are summed at once, and nothing else is asked of the other worker; loss scaling asks once more."""
    assert {name: int(two[name][0]["collectives"]) for name in JOBS} == {name: 1 + (name == "half") for name in JOBS}


def test_training_moves_weights_far_past_the_tolerance(alone, build):
    """What is compared has moved a thousand tolerances from where it began, for every job."""
    for name in ALIKE:
        settings = same_data(name)
        pairs = zip(alone(**settings)[0].model.get_weights(), build(**settings).model.get_weights(), strict=True)
        moved = max(np.abs(after - before).max() for after, before in pairs)
        assert moved > 1000 * TOLERANCE[settings.get("optimizer", "rmsprop")]


def test_variants_keep_trained_weights_equal_and_evaluate_on_one_worker(two):
    """With batch-norm and dropout the trained weights stay equal, moving statistics are each worker's own.

    Rank 0 evaluated without the other: it would have waited for ever had reading its statistics been a collective.
    """
    first, second = (weights(worker) for worker in two["variants"])
    differ = [not np.array_equal(ours, theirs) for ours, theirs in zip(first, second, strict=True)]
    assert sum(differ) == 6  # a mean and a variance after each of three convolutions
    loss, accuracy = two["variants"][0]["evaluated"]
    assert np.isfinite(loss)
    assert 0 <= accuracy <= 1
    assert "evaluated" not in two["variants"][1]


def test_workers_draw_the_same_dropout_masks(two):
    """One image has the same outcome in both processes, as a row's note says."""
    first, second = (worker["masked"] for worker in two["variants"])
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["infinity on 0", "infinity on 1"])
def test_one_workers_infinity_is_everyones(two, name):
    """Both workers skip the step and halve the scale, whichever of them had the infinity."""
    assert [(worker["weight"], worker["scale"]) for worker in two[name]] == [(1.0, 4.0)] * 2


def test_finite_gradients_of_workers_are_summed(two):
    """Without an infinity the unscaled gradients of both are summed and applied."""
    found = two["finite"]
    assert [float(worker["weight"]) for worker in found] == pytest.approx([0.6, 0.6])
    assert [worker["scale"] for worker in found] == [8.0, 8.0]


def test_mixed_float16_trains_on_two_workers(two):
    """In mixed_float16 no step is skipped, the loss falls and the workers keep the same weights."""
    first, second = two["half"]
    assert first["iterations"] == second["iterations"] == 60
    losses = first["told"][:, 1] + second["told"][:, 1]
    assert losses[2] < 0.7 * losses[0]
    for ours, theirs in zip(weights(first), weights(second), strict=True):
        np.testing.assert_array_equal(ours, theirs)
