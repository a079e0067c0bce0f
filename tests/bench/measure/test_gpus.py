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
    # as if the GPU build of TensorFlow were installed: planning asks for its metadata only
    metadata = folder / "tensorflow-2.21.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: tensorflow\nVersion: 2.21.0\n")
    paths = os.pathsep.join([str(folder), clean.get("PYTHONPATH", "")])
    return {**clean, "LD_LIBRARY_PATH": str(folder), "PYTHONPATH": paths}


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


@pytest.mark.parametrize(
    ("visible", "expected"),
    [("2,0", "C, A"), ("GPU-b", "B"), ("1,-1,2", "B"), ("0,7,1", "A"), ("GPU-d0000000-0000,0", "D, A"), ("1,1", "B")],
)
def test_visible_devices_choose_the_gpus(driver, visible, expected):
    """CUDA_VISIBLE_DEVICES is read as CUDA reads it: order, UUID beginnings, and nothing after a wrong one."""
    told = bench({**driver, "FAKE_NVML_GPUS": "A,B,C,D", "CUDA_VISIBLE_DEVICES": visible}, "env")
    (line,) = (line for line in told.splitlines() if line.startswith("gpus "))
    assert line.split(maxsplit=1)[1] == expected


def test_visible_devices_limit_the_replicas(driver):
    """`quick` mirrors over the visible GPUs only."""
    plan = bench({**driver, "FAKE_NVML_GPUS": "A,A,A,A", "CUDA_VISIBLE_DEVICES": "2,3"}, "run", "--dry-run")
    assert "×2" in plan
    assert "×4" not in plan


@pytest.mark.parametrize("gpus", [1, 3, 7])
@pytest.mark.parametrize("suite", ["quick", "gpu"])
def test_gpu_suites_plan_on_any_number_of_gpus(driver, suite, gpus):
    """The GPU suites need no number of GPUs that divides a batch."""
    plan = bench({**driver, "FAKE_NVML_GPUS": ",".join("A" * gpus)}, "run", suite, "--dry-run")
    assert len(plan.splitlines()) > 10


def test_the_cpu_build_plans_for_the_cpu(driver):
    """Where only tensorflow-cpu is installed, GPUs are left alone and the first line says why."""
    build = {**driver, "FAKE_NVML_GPUS": "A", "PYTHONPATH": os.environ["PYTHONPATH"]}
    plan = bench(build, "run", "--dry-run", "--set", "device=gpu")
    assert "tensorflow-cpu cannot use the GPUs" in plan


def test_tf32_is_unsupported_before_ampere(driver):
    """A GPU without TF32 units gives the reason instead of float32 under another name."""
    plan = bench(
        {**driver, "FAKE_NVML_GPUS": "T4", "FAKE_NVML_MAJOR": "7"}, "run", "--dry-run", "--set", "precision=tf32"
    )
    assert "tf32 needs compute capability 8.0" in plan


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ({"FAKE_NVML_INIT": "18"}, "version mismatch"),
        ({"FAKE_NVML_GPUS": ""}, "NVML sees no GPU"),
        ({"FAKE_NVML_GPUS": "A", "CUDA_VISIBLE_DEVICES": "-1"}, "CUDA_VISIBLE_DEVICES=-1 hides every GPU"),
        ({"FAKE_NVML_GPUS": "A", "CUDA_VISIBLE_DEVICES": "NoDevFiles"}, "NoDevFiles hides every GPU"),
    ],
)
def test_without_usable_gpus_the_reason_is_told(driver, trouble, reason):
    """A driver that does not answer, or shows no GPU, is told as such and the plan is for the CPU."""
    assert reason in bench({**driver, **trouble}, "env")
    plan = bench({**driver, **trouble}, "run", "--dry-run", "--set", "device=gpu").splitlines()
    assert plan
    assert all("unsupported: device gpu: " in line and reason in line for line in plan)
