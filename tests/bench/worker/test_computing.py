"""Steps of a live training in which no replica waits for another's gradient."""

import json
import os
import subprocess
import sys
from pathlib import Path
from socket import create_server

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("computing_worker.py")


@pytest.mark.slow
def test_a_worker_computes_without_the_other(tmp_path: Path) -> None:
    """Rank 0 runs its windows although rank 1 takes no part, and afterwards trains on from where it was.

    A sum over both would wait for ever. That the training goes on as one is seen from the same weights on both, and
    that seeds and the input are where they were from those of a training in which nothing was measured.
    """
    held = [create_server(("127.0.0.1", 0)) for _ in range(2)]
    cluster = {"worker": [f"127.0.0.1:{one.getsockname()[1]}" for one in held]}
    for one in held:
        one.close()
    processes = []
    for rank in range(2):
        place = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": rank}})
        paths = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
        env = os.environ | {"TF_CONFIG": place, "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}
        with (tmp_path / f"{rank}.log").open("wb") as log:
            command = [sys.executable, str(SCRIPT), str(tmp_path)]
            processes.append(subprocess.Popen(command, env=env | {"PYTHONPATH": paths}, stdout=log, stderr=log))
    try:
        codes = [process.wait(200) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert codes == [0, 0], "".join((tmp_path / f"{rank}.log").read_text()[-3000:] for rank in range(2))
    for engine in ("step", "fused"):
        first, second = (dict(np.load(tmp_path / f"{engine}-{rank}.npz")) for rank in range(2))
        assert first["steps"].tolist() == [3, 3]
        assert (first["window_s"] > 0).all()
        np.testing.assert_array_equal(first["before"], first["after"])
        np.testing.assert_array_equal(first["last"], second["last"])
        plain = np.load(tmp_path / f"{engine}-plain-0.npz")["last"]
        np.testing.assert_allclose(first["last"], plain, rtol=1e-4, atol=1e-6)
        assert not np.array_equal(first["last"][:50], first["before"][:50])
