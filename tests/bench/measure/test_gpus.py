"""GPUs as NVML tells of them: the real nvidia-ml-py loads a small C library in the driver's place."""

import os
import subprocess
import sys

import pytest


def gpus(*names: str, **keys: str) -> str:
    """A script with these GPUs; further keys are those of the first one."""
    lines = [f"count {len(names)}", *(f"{place}.name {name}" for place, name in enumerate(names))]
    return "\n".join([*lines, *(f"0.{key} {value}" for key, value in keys.items())]) + "\n"


def bench(*words: str, code: int = 0) -> str:
    """What it prints; 2 is the code of a plan of which nothing can run here."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.cli", *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def test_env_names_gpus_and_driver(play):
    """`bench env` lists every GPU by name and the driver's version."""
    play(gpus("NVIDIA H100 PCIe", "NVIDIA L4"))
    told = bench("env", "--all")
    assert "NVIDIA H100 PCIe, NVIDIA L4" in told
    assert "570.86.15" in told


def test_quick_runs_on_gpus_that_are_there(play):
    """On a GPU machine the default suite is planned for the GPUs, mirrored over all of them."""
    play(gpus(*"AAAA"))
    plan = bench("run", "--dry-run")
    assert "gpu" in plan
    assert "×4" in plan
    assert "unsupported" not in plan


@pytest.mark.parametrize(
    ("visible", "expected"),
    [("2,0", "C, A"), ("GPU-b", "B"), ("1,-1,2", "B"), ("0,7,1", "A"), ("GPU-d0000000-0000,0", "D, A"), ("1,1", "B")],
)
def test_visible_devices_choose_the_gpus(play, monkeypatch, visible, expected):
    """CUDA_VISIBLE_DEVICES is read as CUDA reads it: order, UUID beginnings, and nothing after a wrong one."""
    play(gpus(*"ABCD"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    told = bench("env", "--all")
    (line,) = (line for line in told.splitlines() if line.startswith("gpus "))
    assert line.split(maxsplit=1)[1] == expected


def test_visible_devices_limit_the_replicas(play, monkeypatch):
    """`quick` mirrors over the visible GPUs only."""
    play(gpus(*"AAAA"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    plan = bench("run", "--dry-run")
    assert "×2" in plan
    assert "×4" not in plan


@pytest.mark.parametrize("count", [1, 3, 7])
@pytest.mark.parametrize("suite", ["quick", "gpu"])
def test_gpu_suites_plan_on_any_number_of_gpus(play, suite, count):
    """The GPU suites need no number of GPUs that divides a batch."""
    play(gpus(*"A" * count))
    plan = bench("run", suite, "--dry-run")
    assert len(plan.splitlines()) > 10


def test_the_cpu_build_plans_for_the_cpu(play, monkeypatch):
    """Where only tensorflow-cpu is installed, GPUs are left alone and the first line says why."""
    own = os.environ["PYTHONPATH"]
    play(gpus("A"))
    monkeypatch.setenv("PYTHONPATH", own)
    plan = bench("run", "--dry-run", "--set", "device=gpu", code=2)
    assert "tensorflow-cpu cannot use the GPUs" in plan


def test_tf32_is_unsupported_before_ampere(play):
    """A GPU without TF32 units gives the reason instead of float32 under another name."""
    play(gpus("T4", major="7"))
    plan = bench("run", "--dry-run", "--set", "precision=tf32", code=2)
    assert "tf32 needs compute capability 8.0" in plan


@pytest.mark.parametrize(
    ("script", "visible", "reason"),
    [
        ("init 18\n", None, "version mismatch"),
        (gpus(), None, "NVML sees no GPU"),
        (gpus("A"), "-1", "CUDA_VISIBLE_DEVICES=-1 hides every GPU"),
        (gpus("A"), "NoDevFiles", "NoDevFiles hides every GPU"),
    ],
)
def test_without_usable_gpus_the_reason_is_told(play, monkeypatch, script, visible, reason):
    """A driver that does not answer, or shows no GPU, is told as such and the plan is for the CPU."""
    play(script)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert reason in bench("env", "--all")
    plan = bench("run", "--dry-run", "--set", "device=gpu", code=2).splitlines()
    trials = [line for line in plan if line.split()[:1] and line.split()[0].isdecimal()]
    assert trials
    assert all("unsupported: device gpu: " in line and reason in line for line in trials)


def test_driver_that_hangs_is_given_up(play):
    """A call into it cannot be ended, but what waits for it does not wait for ever, and the process can end."""
    play("hang 1\n")
    program = "from bench.measure.gpu_state import look_within; print(look_within(1.0, None)[0].reason)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "the NVIDIA driver did not answer within 1 s\n"


def test_processes_of_others_are_told_and_respected(play, tmp_path):
    """`bench env` names who computes on which GPU; `run` starts nothing there unless it is allowed to."""
    play(gpus("A", "B") + "1.process 4242:1024\n")
    assert "4242 on B (GPU-b0000000-0000)" in bench("env", "--all")
    words = [sys.executable, "-m", "bench.cli", "run", "--out", str(tmp_path / "runs")]
    refused = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 2
    assert refused.stderr == (
        "bench: the GPUs are in use by process 4242 on B (GPU-b0000000-0000): wait for them, choose others with "
        "CUDA_VISIBLE_DEVICES, or give --allow-busy\n"
    )
    assert not (tmp_path / "runs").exists()
    plan = bench("run", "--dry-run", "--allow-busy")
    assert "gpu" in plan
