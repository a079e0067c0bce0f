"""What the tests of all stages share: a small data set, records, and real processes that can be waited for."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench.store.record import RunRecord, TrialRecord
from bench.trial import Cell, Trial
from mnist_cnn.dataset import load_dataset

REPOSITORY = Path(__file__).parents[2]
LITTLE_MEMORY = """
import os, resource, sys
import mnist_cnn.dataset as dataset
import psutil

load = dataset.load_dataset

def plant(path=None):
    whole = load(path)
    if training := sys.modules.get("mnist_cnn.training"):
        train = training.Training.train
        def limited(self, next_window):
            # TensorFlow's threads are there from now on: where one of those cannot start, the process just dies
            self.evaluate(dataset.Split(whole.test.images[:10], whole.test.labels[:10]))
            allowed = psutil.Process().memory_info().vms + int(os.environ["ROOM_MIB"]) * 2**20
            resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
            train(self, next_window)
        training.Training.train = limited
    return whole

dataset.load_dataset = plant
"""
"""Python imports this at every start, so that the worker and the way to start it stay as they are."""


@pytest.fixture(scope="session", autouse=True)
def importable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Processes that a test starts in another folder find the packages too, and no ceilings of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
        yield


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 2,000 training and 500 test images of MNIST as an .npz."""
    whole = load_dataset()
    path = tmp_path_factory.mktemp("data") / "small.npz"
    np.savez(
        path,
        x_train=whole.train.images[:2000],
        y_train=whole.train.labels[:2000],
        x_test=whole.test.images[:500],
        y_test=whole.test.labels[:500],
    )
    return path


@pytest.fixture
def plan() -> Callable[..., RunRecord]:
    """Makes the record of a run of some trials; further arguments are further fields."""

    def make(*trials: Trial, **rest: object) -> RunRecord:
        data = rest.get("data")
        filled: dict[str, object] = {
            "suite": "tiny",
            "created_utc": "2026-01-02T03:04:05+00:00",
            "trials": list(trials),
            "trial_budget_s": None,
            "run_budget_s": None,
            "data": None,
            # real workers tell what they loaded
            "data_sha256": load_dataset(Path(str(data))).sha256 if data else "00",
            "environment": {"host": "here"},
        }
        return RunRecord.model_validate(filled | rest)

    return make


@pytest.fixture
def record() -> Callable[..., TrialRecord]:
    """Makes the record of a trial that ended with a status; `rest` are settings of its cell."""

    def make(status: str = "ok", repeat: int = 0, **settings: object) -> TrialRecord:
        trial = Trial(cell=Cell.model_validate(settings), repeat=repeat)
        return TrialRecord.model_validate({"trial": trial, "status": status})

    return make


def alive(pid: int) -> bool:
    """Whether a process still runs; one that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def seconds_until_gone() -> Callable[..., float]:
    """Waits until none of some processes runs and returns the seconds that took; fails after `at_most_s`."""

    def wait(*pids: int, at_most_s: float = 12.0) -> float:
        began = time.monotonic()
        while left := [pid for pid in pids if alive(pid)]:
            assert time.monotonic() - began < at_most_s, f"processes {left} of {pids} still run after {at_most_s} s"
            time.sleep(0.02)
        return time.monotonic() - began

    return wait


def compiled(source: Path, folder: Path) -> Path:
    """The folder, with a `libnvidia-ml.so.1` made of a C file."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: the fake NVML cannot be compiled")
    words = ["gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(folder / "libnvidia-ml.so.1"), str(source)]
    subprocess.run(words, check=True)
    return folder


@pytest.fixture
def other_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that the test starts find another library, with two GPUs, that knows a few of NVML's functions."""
    folder = tmp_path / "driver"
    folder.mkdir()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(compiled(Path(__file__).parent / "nvml_small.c", folder)))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture(scope="session")
def driver_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `libnvidia-ml.so.1` that plays a script; skips where there is no C compiler."""
    folder = compiled(Path(__file__).parent / "nvml.c", tmp_path_factory.mktemp("nvml"))
    # as if the GPU build of TensorFlow were installed: planning asks for its metadata only
    metadata = folder / "tensorflow-2.21.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: tensorflow\nVersion: 2.21.0\n")
    return folder


@pytest.fixture
def play(driver_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], float]:
    """Has the driver of every process that the test starts from now on play a script; returns its second 0."""

    def begin(script: str) -> float:
        path, began = tmp_path / "nvml.txt", time.monotonic()
        path.write_text(f"began {began}\n{script}")
        monkeypatch.setenv("FAKE_NVML", str(path))
        monkeypatch.setenv("LD_LIBRARY_PATH", str(driver_folder))
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(driver_folder), os.environ.get("PYTHONPATH", "")]))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        return began

    return begin


@pytest.fixture
def little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets every worker that starts from now on add so many MiB of address space to what it has when it trains."""

    def limit(room_mib: int) -> None:
        site = tmp_path / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(LITTLE_MEMORY)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ["PYTHONPATH"]]))
        monkeypatch.setenv("ROOM_MIB", str(room_mib))
        monkeypatch.setenv("MALLOC_ARENA_MAX", "2")  # every further one would take 64 MiB of addresses for nothing

    return limit
