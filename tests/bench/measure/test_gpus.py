"""GPUs as NVML tells of them: the real nvidia-ml-py loads a small C library in the driver's place."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "fake_nvml.c"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment whose loader finds the fake library; skips where there is no C compiler."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: the fake NVML cannot be compiled")
    folder = tmp_path_factory.mktemp("nvml")
    library = folder / "libnvidia-ml.so.1"
    subprocess.run(["gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, SOURCE], check=True)
    clean = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    return {**clean, "LD_LIBRARY_PATH": str(folder)}


def bench(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bench.cli", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_env_names_gpus_and_driver(driver):
    """`bench env` lists every GPU by name and the driver's version."""
    told = bench({**driver, "FAKE_NVML_GPUS": "NVIDIA H100 PCIe,NVIDIA L4"}, "env")
    assert "NVIDIA H100 PCIe, NVIDIA L4" in told
    assert "570.86.15" in told


def test_quick_runs_on_gpus_that_are_there(driver):
    """On a GPU machine the default suite is planned for the GPUs, mirrored over all of them."""
    plan = bench({**driver, "FAKE_NVML_GPUS": "A,A,A,A"}, "run", "--dry-run")
    assert "gpu" in plan
    assert "×4" in plan
    assert "unsupported" not in plan


def test_visible_devices_narrow_the_gpus(driver):
    """CUDA_VISIBLE_DEVICES limits how many GPUs are planned for."""
    plan = bench({**driver, "FAKE_NVML_GPUS": "A,A,A,A", "CUDA_VISIBLE_DEVICES": "2,3"}, "run", "--dry-run")
    assert "×2" in plan
    assert "×4" not in plan


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ({"FAKE_NVML_INIT": "18"}, "version mismatch"),
        ({"FAKE_NVML_GPUS": ""}, "NVML sees no GPU"),
        ({"FAKE_NVML_GPUS": "A", "CUDA_VISIBLE_DEVICES": "-1"}, "CUDA_VISIBLE_DEVICES hides every GPU"),
    ],
)
def test_without_usable_gpus_the_reason_is_told(driver, trouble, reason):
    """A driver that does not answer, or shows no GPU, is told as such and the plan is for the CPU."""
    assert reason in bench({**driver, **trouble}, "env")
    plan = bench({**driver, **trouble}, "run", "--dry-run", "--set", "device=gpu").splitlines()
    assert plan
    assert all("unsupported: device gpu: " in line and reason in line for line in plan)
