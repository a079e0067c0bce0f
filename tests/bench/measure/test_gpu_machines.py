"""Machines with GPUs of many kinds, as `bench env`, run.json and the plan tell of them: nvml.c plays them all."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

Play = Callable[[str], float]
READ = """
import json
from bench.measure.environment import read_environment, spoilers
found = read_environment()
print(json.dumps([found, [line for line in spoilers(found) if "load is" not in line and "CPU" not in line[:3]]]))
"""
H100 = """name NVIDIA H100 80GB HBM3
memory 1000
memory_total 85899345920
sm_clock 345
max_sm_clock 1980
temperature 35
slowdown 90
power_limit 700000
default_power_limit 700000
persistence 1
ecc_mode 1
ecc 0
mig 0
compute_mode 0
cpus 32-63"""
A100_WITH_MIG = "name NVIDIA A100-SXM4-40GB\nmajor 8\nmig 1\npersistence 1\npower 200000\ncpus 0-15"
MIG_DEVICES = (
    "name NVIDIA A100-SXM4-40GB MIG 3g.20gb\nuuid MIG-11111111-aaaa\ngi 1\nci 0\nmemory 5\nmemory_total 21474836480",
    "name MIG 2g.10gb\nuuid MIG-22222222-bbbb\ngi 3\nci 0",
)


def machine(*gpus: str, **driver: str) -> str:
    """A script with these GPUs, each a text of keys."""
    lines = [f"{key} {value}" for key, value in driver.items()]
    lines += [f"{place}.{line}" for place, gpu in enumerate(gpus) for line in gpu.splitlines()]
    return "\n".join([f"count {len(gpus)}", *lines]) + "\n"


def with_mig(*beside: str) -> str:
    """A script with an A100 of two MIG devices as GPU 0, and these GPUs beside it."""
    lines = [
        f"{place}.{line}"
        for place, device in enumerate(MIG_DEVICES, 1 + len(beside))
        for line in ["parent 0", *device.splitlines()]
    ]
    return machine(A100_WITH_MIG, *beside) + "\n".join(lines) + "\n"


def found_here() -> tuple[dict[str, Any], list[str]]:
    """The environment as a process finds it that loads the library anew, and what it says would spoil a measurement."""
    done = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    environment, spoilers = json.loads(done.stdout)
    return environment, spoilers


def bench(*words: str, code: int = 0) -> str:
    """What it prints; 2 is the code of a plan of which nothing can run here."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.cli", *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def trials_of(plan: str) -> list[str]:
    """The lines of a dry run that begin with a trial's number."""
    found = [line for line in plan.splitlines() if line.split()[:1] and line.split()[0].isdecimal()]
    assert found
    return found


def told(text: str, name: str) -> str:
    """What stands behind a name in `bench env`."""
    return next(line[len(name) :].strip() for line in text.splitlines() if line.startswith(f"{name} "))


def test_one_h100_tells_its_state(play: Play) -> None:
    """Versions, whether TensorFlow can use it, and every state with its unit; nothing would spoil a measurement."""
    play(machine(H100, driver="570.86.15", cuda="12080"))
    text = bench("env", "--all")
    expected = {
        "driver": "570.86.15", "driver cuda": "12.8", "wheel cuda": "12.5.1", "wheel cudnn": "9",
        "GPU 0": "NVIDIA H100 80GB HBM3", "uuid": "GPU-a0000000-0000", "compute capability": "9.0",
        "TensorFlow can use it": "yes", "its memory": "85,899,345,920 bytes", "MIG": "off", "ECC": "on",
        "uncorrected ECC errors": "0", "persistence mode": "on", "compute mode": "default",
        "SM clock": "345 of 1,980 MHz", "power limit": "700 of 700 W", "temperature": "35 of 90 °C",
        "NVLinks up": "unknown", "CPUs of its NUMA node": "32-63",
    }  # fmt: skip
    assert {name: told(text, name) for name in expected} == expected
    assert "sudo nvidia-smi -i 0 -lgc 1980,1980" in text
    assert found_here()[1] == []


def test_letter_tells_gpus_driver_and_build(play: Play) -> None:
    """Alike ones in one line, what TensorFlow was built for, and that they are sound, unless one is not."""
    play(machine(H100, H100, driver="570.86.15", cuda="12080"))
    text = " ".join(bench("env").split())
    for told in (
        "GPUs 2 × NVIDIA H100 80GB HBM3, 80 GiB, compute capability 9.0",
        "Driver 570.86.15, for CUDA up to 12.8",
        "TensorFlow 2.21.0, built for CUDA 12.5.1 and cuDNN 9;",
        "trains on the GPUs",
        "- no other process computes on the GPUs",
        "- every GPU can be used",
    ):
        assert told in text
    assert "- clocks of NVIDIA H100" in text.partition("What would make figures steadier")[2]
    play(machine(H100, "name B200\nmajor 10"))
    text = bench("env")
    assert "1 × B200, compute capability 10.0, not usable" in text
    assert "every GPU can be used" not in text


def test_eight_a100_tell_how_they_are_joined(play: Play) -> None:
    """All pairs by NVLink in one line, and the state of each GPU stands in what run.json keeps."""
    play(machine(*[f"name A100\nmajor 8\nlinks 12\nmax_sm_clock 1410\ncpus {32 * n}-{32 * n + 31}" for n in range(8)]))
    environment, _ = found_here()
    assert [state["nvlinks"] for state in environment["gpu_states"]] == [12] * 8
    assert environment["gpu_states"][7]["cpus"] == "224-255"
    assert len(environment["gpu_links"]["NVLink"]) == 28
    text = bench("env", "--all")
    assert told(text, "GPUs joined by") == "NVLink: all pairs"
    assert "sudo nvidia-smi -i 0,1,2,3,4,5,6,7 -lgc 1410,1410" in text


def test_without_nvlink_the_way_over_pcie_is_told(play: Play) -> None:
    """Pairs stand with the nearest level that joins them."""
    play(machine("name L4\nnear 1:10 2:50", "name L4\nnear 2:50", "name L4"))
    environment, _ = found_here()
    assert environment["gpu_links"] == {"PCIe, one switch": ["0-1"], "between NUMA nodes": ["0-2", "1-2"]}


def test_mixed_models_are_told_with_a_choice(play: Play) -> None:
    """Replicas would wait for the slower one: the mend names the GPUs of one model."""
    play(machine("name A100\nmajor 8", "name T4\nmajor 7\nminor 5", "name A100\nmajor 8"))
    environment, (line,) = found_here()
    assert environment["gpu_capabilities"] == ["8.0", "7.5", "8.0"]
    assert "A100 (GPU 0,2), T4 (GPU 1)" in line
    assert line.endswith("CUDA_VISIBLE_DEVICES=0,2")


@pytest.mark.parametrize(
    ("visible", "uuid"),
    [
        (None, "MIG-11111111-aaaa"),
        ("0", "MIG-11111111-aaaa"),
        ("GPU-a", "MIG-11111111-aaaa"),
        ("MIG-2", "MIG-22222222-bbbb"),
        ("MIG-22222222-bbbb,MIG-11111111-aaaa", "MIG-22222222-bbbb"),
        ("MIG-GPU-a0000000-0000/3/0", "MIG-22222222-bbbb"),
        ("MIG-GPU-a0000000-0000/9/0", None),
        ("MIG-", None),
        ("1", None),
    ],
)
def test_process_sees_one_mig_device(
    play: Play, monkeypatch: pytest.MonkeyPatch, visible: str | None, uuid: str | None
) -> None:
    """The one that CUDA would take, under every name that CUDA takes; a wrong one shows nothing."""
    play(with_mig())
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    environment, _ = found_here()
    assert [state["uuid"] for state in environment["gpu_states"]] == ([uuid] if uuid else [])
    assert environment["gpu_is_mig_device"] == bool(uuid)


def test_mig_device_has_its_own_memory_and_the_rest_of_its_gpu(play: Play) -> None:
    """Name as NVML says it, capability and CPUs of the parent; a second device is said to be out of reach."""
    play(with_mig())
    environment, _ = found_here()
    (state,) = environment["gpu_states"]
    assert state["name"] == "NVIDIA A100-SXM4-40GB MIG 3g.20gb"
    assert (state["memory_bytes"], state["cpus"], state["mig"], state["persistence"]) == (
        20 * 2**30,
        "0-15",
        True,
        True,
    )
    assert environment["gpu_capabilities"] == ["8.0"]
    assert "one MIG device and nothing else" in environment["gpu_notes"][0]


def test_a_whole_gpu_beside_mig_is_not_shown(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA enumerates no whole GPU where it enumerates a MIG device; chosen alone it is."""
    play(with_mig("name H100"))
    assert [state["uuid"] for state in found_here()[0]["gpu_states"]] == ["MIG-11111111-aaaa"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    environment, _ = found_here()
    assert (environment["gpus"], environment["gpu_is_mig_device"]) == (["H100"], False)


def test_several_replicas_on_mig_are_unsupported(play: Play) -> None:
    """The reason says what CUDA does; a plan over all GPUs takes the one device."""
    play(with_mig())
    wanted = ["device=gpu", "strategy=mirrored", "replicas=2"]
    plan = bench("run", "--dry-run", *(word for one in wanted for word in ("--set", one)), code=2)
    assert "unsupported: 2 replicas on MIG: CUDA shows a process one MIG device only" in plan
    assert "unsupported" not in bench("run", "--dry-run")


def test_mig_mode_without_a_device_is_told_with_its_mend(play: Play) -> None:
    """CUDA can do nothing with such a GPU."""
    play("count 1\n0.name A100\n0.mig 1\n")
    environment, _ = found_here()
    assert environment["gpus"] == []
    assert "sudo nvidia-smi mig -cgi 0 -C -i 0" in environment["no_gpu_reason"]


def test_a_consumer_card_leaves_unknown_what_it_does_not_tell(play: Play) -> None:
    """No ECC, no MIG, no energy: unknown, and no complaint about it."""
    play(machine("name NVIDIA GeForce RTX 4090\nmajor 8\nminor 9\npersistence 1\ntemperature 40"))
    text = bench("env", "--all")
    assert [told(text, name) for name in ("ECC", "MIG", "uncorrected ECC errors", "power limit")] == ["unknown"] * 4
    assert told(text, "TensorFlow can use it") == "yes"
    assert found_here()[1] == []


@pytest.mark.parametrize("key", ["lost 0", "error.handle 15"])
def test_gpu_that_is_lost_while_listed_leaves_the_others(play: Play, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """The others stay, under the numbers they had; the lost one is told."""
    play(machine("name A", f"name B\n{key}", "name C"))
    environment, spoilers = found_here()
    assert environment["gpus"] == ["A", "C"]
    assert spoilers[0] == "GPU 1 is left out: NVML: GPU is lost"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,1,0")
    assert found_here()[0]["gpus"] == ["C"]


def test_where_every_gpu_is_lost_the_reason_is_that(play: Play) -> None:
    """Not that there is none."""
    play(machine("name A\nlost 0"))
    assert found_here()[0]["no_gpu_reason"] == "GPU 0 is left out: NVML: GPU is lost"


def test_gpu_of_another_user_has_no_number(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the driver does not let this user open, CUDA does not count."""
    play(machine("name A\nerror.handle 4", "name B"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    environment, _ = found_here()
    assert environment["gpus"] == ["B"]
    assert environment["gpu_notes"] == ["GPU 0 is left out: NVML: Insufficient Permissions"]


def test_capability_that_is_not_told_is_unknown(play: Play) -> None:
    """The GPU stays usable, and a precision that needs one is not refused for it."""
    play(machine("name A\nerror.capability 3"))
    assert found_here()[0]["gpu_capabilities"] == [None]
    assert told(bench("env", "--all"), "TensorFlow can use it") == "unknown"
    plan = bench("run", "--dry-run", "--set", "precision=tf32")
    assert "unsupported" not in plan


@pytest.mark.parametrize(
    ("major", "minor", "reason"),
    [(12, 0, "NVIDIA's TensorFlow container"), (10, 0, "PTX fails"), (5, 2, "it needs 6.0")],
)
def test_gpu_that_the_wheel_was_not_built_for_is_unsupported(play: Play, major: int, minor: int, reason: str) -> None:
    """Too new or too old: the plan and `bench env` say so, and what to do; the default suite takes the CPU."""
    play(machine(f"name X\nmajor {major}\nminor {minor}"))
    said = f"TensorFlow 2.21 has no kernels for compute capability {major}.{minor}"
    plan = bench("run", "--dry-run", "--set", "device=gpu", code=2)
    assert all(f"unsupported: device gpu: {said}" in line and reason in line for line in trials_of(plan))
    assert "unsupported: device gpu" not in bench("run", "--dry-run")
    assert told(bench("env", "--all"), "TensorFlow can use it").startswith(f"no: {said}")


def test_cells_that_need_an_unsuited_gpu_are_unsupported(play: Play) -> None:
    """Beside one that the wheel was built for: one replica runs on that, two do not."""
    play(machine("name H100\nmajor 9", "name B200\nmajor 10"))
    wanted = ["device=gpu", "strategy=mirrored", "replicas=1,2", "global_batch=64", "precision=float32"]
    plan = bench("run", "--dry-run", *(word for one in wanted for word in ("--set", one)))
    lines = {("×2" in line, "has no kernels for compute capability 10.0" in line) for line in plan.splitlines()}
    assert lines == {(True, True), (False, False)}


@pytest.mark.parametrize(("version", "old"), [("470.82.01", True), ("525.60.11", True), ("525.60.13", False)])
def test_driver_too_old_for_the_wheel_is_told(play: Play, version: str, old: bool) -> None:
    """Before 525.60.13 nothing of CUDA 12 runs."""
    play(machine("name A100\nmajor 8", driver=version))
    _, spoilers = found_here()
    line = (
        f"driver {version} is too old for CUDA 12.5.1, which TensorFlow 2.21 was built for: "
        "update it to 525.60.13 or newer (555.42 came with that CUDA)"
    )
    assert spoilers == ([line] if old else [])


@pytest.mark.parametrize(
    ("keys", "fault", "mend"),
    [
        ("persistence 0", "persistence mode is off", "sudo nvidia-smi -pm 1 -i 1"),
        ("power_limit 200000\ndefault_power_limit 400000", "capped at 200 W of 400 W", "sudo nvidia-smi -pl 400 -i 1"),
        ("temperature 82\nslowdown 92", "hot (82 °C)", "wait"),
        ("temperature 80", "hot (80 °C)", "wait"),
        ("ecc 3", "3 uncorrected ECC errors", "sudo nvidia-smi --gpu-reset -i 1"),
        ("compute_mode 2", "no process may compute", "sudo nvidia-smi -c DEFAULT -i 1"),
        ("compute_mode 3", "one process at a time", "sudo nvidia-smi -c DEFAULT -i 1"),
        ("process 4242:1", "in use by process 4242 on A", "--allow-busy"),
    ],
)
def test_fault_of_a_gpu_comes_with_its_mend(play: Play, keys: str, fault: str, mend: str) -> None:
    """One line that names the GPU as nvidia-smi numbers it, and the command, which is not run."""
    play(machine("name A", f"name A\n{keys}"))
    _, (line,) = found_here()
    assert fault in line
    assert mend in line


@pytest.mark.parametrize(
    ("script", "mends"),
    [(None, []), ("init 18\n", ["restart the machine"]), ("init 4\n", ["who may read and write /dev/nvidia*"])],
)
def test_without_an_answer_there_is_no_gpu(
    play: Play, monkeypatch: pytest.MonkeyPatch, script: str | None, mends: list[str]
) -> None:
    """No NVML is nothing to mend; a mismatch of versions and no permission are, and how stands behind the reason."""
    play(script or "")
    if script is None:
        monkeypatch.delenv("LD_LIBRARY_PATH")
    environment, spoilers = found_here()
    assert environment["no_gpu_reason"].startswith("no NVIDIA GPU answers (NVML: ")
    assert (environment["gpus"], environment["gpu_states"], environment["gpu_links"]) == ([], [], {})
    assert [line.endswith(mend) for line, mend in zip(spoilers, mends, strict=True)] == [True] * len(mends)


def test_nvidia_builds_of_tensorflow_are_not_judged(play: Play, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """In NVIDIA's container the version has a + behind it: what that was built for is unknown, Blackwell may run."""
    metadata = tmp_path / "tensorflow-2.21.0+nv25.3.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: tensorflow\nVersion: 2.21.0+nv25.3\n")
    play(machine("name B200\nmajor 10", driver="470.1"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]]))
    environment, spoilers = found_here()
    assert (environment["wheel_cuda"], environment["gpu_states"][0]["unsuited"], spoilers) == (None, "", [])


@pytest.mark.usefixtures("other_driver")
def test_another_library_that_lacks_functions_is_enough() -> None:
    """Names, UUIDs and memory are told, everything else is unknown, and the GPUs stay in the order of their numbers."""
    environment, spoilers = found_here()
    assert (environment["gpus"], environment["driver"], environment["driver_cuda"]) == (
        ["Small 0", "Small 1"],
        None,
        None,
    )
    assert (environment["gpu_capabilities"], environment["gpu_links"]) == ([None, None], {})
    for place, state in enumerate(environment["gpu_states"]):
        known = {"unsuited": "", "index": place, "name": f"Small {place}", "uuid": f"GPU-{place}", "memory_bytes": 3000}
        assert {name: value for name, value in state.items() if value is not None} == known
    assert [line[:22] for line in spoilers] == ["GPUs of several models"]
