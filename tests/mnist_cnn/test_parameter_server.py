"""A coordinator, two workers and a server as real processes on loopback: nothing is lost, and nothing done twice."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_cnn.parameter_server import in_flight_steps
from tests.mnist_cnn.test_workers import free_ports

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # two cores shared by four TensorFlows
RATE = 2**-7
"""Of SGD: with gradients of 1 a bias is this times a whole number, which float32 holds exactly."""
CONSTANT = {"constant": True, "settings": {"optimizer": "sgd", "learning_rate": RATE}, "windows": [1, 100, 150, 149]}
JOBS: dict[str, dict[str, Any]] = {
    "step": CONSTANT,
    "fused": CONSTANT | {"settings": CONSTANT["settings"] | {"engine": "fused", "input": "synthetic"}},
    "learns": {"constant": False, "settings": {}, "windows": [20, 80, 40]},
}
Found = dict[str, dict[str, np.ndarray]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What the coordinator found, by job."""
    folder = tmp_path_factory.mktemp("served")
    chief, *workers, server = [f"127.0.0.1:{port}" for port in free_ports(4)]
    cluster = {"chief": [chief], "worker": workers, "ps": [server]}
    command = [sys.executable, str(Path(__file__).with_name("serve_or_lead.py")), str(folder), json.dumps(JOBS)]
    processes = []
    for kind, index in (("ps", 0), ("worker", 0), ("worker", 1), ("chief", 0)):
        env = os.environ | {
            "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}}),
            "CUDA_VISIBLE_DEVICES": "-1",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        with (folder / f"{kind}{index}.log").open("wb") as log:
            processes.append(subprocess.Popen(command, env=env, stdout=log, stderr=log))
    try:
        code = processes[-1].wait(240)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert code == 0, (folder / "chief0.log").read_text()[-3000:]
    return {name: dict(np.load(folder / f"{name}.npz")) for name in [*JOBS, "draws"]}


@pytest.mark.parametrize("engine", ["step", "fused"])
def test_every_step_is_applied_exactly_once(found: Found, engine: str) -> None:
    """After 400 steps of gradient 1 by two workers every bias is -400 × rate, to the bit, and 400 were counted."""
    job = found[engine]
    assert job["counted"].sum() == 400
    np.testing.assert_array_equal(job["biases"], np.float32(-400 * RATE))


@pytest.mark.parametrize("engine", ["step", "fused"])
def test_windows_tell_what_was_done_by_their_end(found: Found, engine: str) -> None:
    """Each window's steps differ from those asked by what is still under way, and no step is in two of them."""
    told, most = found[engine]["told"][:, 0], in_flight_steps(engine, workers=2)  # type: ignore[arg-type]  # of ENGINES
    assert told[0] == 1
    assert np.abs(told - CONSTANT["windows"]).max() <= most
    assert 400 - most <= told.sum() <= 400
    under_way = np.cumsum(CONSTANT["windows"]) - np.cumsum(told)
    assert 0 < under_way.max() <= most  # windows that waited for their last steps would leave none


def test_training_learns_and_evaluates_what_the_servers_have(found: Found) -> None:
    """The loss of 140 steps falls, and the evaluation is that of a model with the servers' weights."""
    job = found["learns"]
    losses = job["told"][:, 1]
    assert losses[2] < 0.7 * losses[0]
    assert job["evaluated"][1] == job["right"]
    assert job["right"] > 0.3


def test_workers_draw_different_images(found: Found) -> None:
    """However ten steps of four images fall on two workers, both draw some and no image comes twice in an epoch."""
    drawn = found["draws"]["drawn"]
    assert drawn.sum() == 40
    assert drawn.sum(axis=0).max() == 1
    assert (drawn.sum(axis=1) > 0).all()


def test_steps_are_counted_of_the_worker_that_did_them(found: Found) -> None:
    """What a worker is counted for is what it drew, four images a step, however the work fell."""
    draws = found["draws"]
    np.testing.assert_array_equal(draws["counted"], draws["drawn"].sum(axis=1) / 4)
