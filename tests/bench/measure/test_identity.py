"""Which machines count as one kind, and which as one and the same."""

import hmac
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.measure.environment import read_environment
from bench.measure.identity import code_sha256, exact_unit, joint_class, joint_unit, machine_class

Plant = Callable[[dict[str, str]], Path]
ID, OTHER_ID = "0123456789abcdef" * 2, "f" * 32
ENVIRONMENT: dict[str, Any] = {
    "cpu_model": "X", "usable_cpus": 8, "memory_bytes": 33_500_000_000, "gpus": ["L4", "H100", "L4"], "driver": "570.1",
    "python": "3.11.7", "packages": {"tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6", "nvidia-ml-py": "13"},
}  # fmt: skip


def class_id(**changes: Any) -> str:
    return str(machine_class(ENVIRONMENT | changes)["id"])


def test_machine_class_has_its_facts() -> None:
    """33.5 GB are 31 GiB; GPUs are counted by model; what is not installed is left out."""
    assert machine_class(ENVIRONMENT) == {
        "id": class_id(), "cpu_model": "X", "usable_cpus": 8, "memory_gib": 31, "gpus": "1 × H100 + 2 × L4",
        "driver": "570.1", "python": "3.11", "tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6",
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"cpu_model": "Y"}, {"usable_cpus": 4}, {"memory_bytes": 2**36}, {"gpus": ["L4", "H100"]}, {"gpus": []},
        {"driver": "570.2"}, {"python": "3.12.7"}, {"packages": ENVIRONMENT["packages"] | {"keras": "3.15.2"}},
        {"packages": {"tensorflow-cpu": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6"}}, {"cpu_model": None},
    ],
)  # fmt: skip
def test_each_fact_makes_another_class(change: dict[str, Any]) -> None:
    """One other fact is another id."""
    assert class_id(**change) != class_id()


def test_what_is_of_no_weight_changes_no_class() -> None:
    """The order of GPUs, some MiB that a kernel keeps, a patch of Python and NVML's bindings leave the id as it is."""
    packages = ENVIRONMENT["packages"] | {"nvidia-ml-py": "14"}
    changed = class_id(gpus=["L4", "L4", "H100"], memory_bytes=33_400_000_000, python="3.11.9", packages=packages)
    assert changed == class_id()


def test_class_id_stays_over_releases() -> None:
    """Stored runs are found by it: the id of these facts may never change by accident."""
    assert class_id() == "fa81b01aba65"


def test_unit_is_keyed_by_the_machine_id(plant: Plant) -> None:
    """It is the HMAC that machine-id(5) asks for, and holds nothing of the id itself."""
    root = plant({"etc/machine-id": f"{ID}\n"})
    unit = exact_unit(["GPU-b", "GPU-a"], root)
    assert unit == hmac.new(ID.encode(), b"mnist-cnn-bench exact unit\nGPU-a\nGPU-b", "sha256").hexdigest()[:16]
    assert ID not in unit


def test_unit_is_of_machine_and_gpus(plant: Plant) -> None:
    """Another machine or other GPUs are another unit; the order of the GPUs is not."""
    root = plant({"etc/machine-id": ID})
    units = [exact_unit(gpus, root) for gpus in ([], ["GPU-a"], ["GPU-a", "GPU-b"], ["GPU-b", "GPU-a"])]
    plant({"etc/machine-id": OTHER_ID})
    assert len({*units, exact_unit([], root)}) == 4
    assert units[2] == units[3]


@pytest.mark.parametrize("unreadable", ["", "\n", "uninitialized\n", ID[:-1], ID.upper(), "\0" * 32])
def test_second_file_stands_in(plant: Plant, unreadable: str) -> None:
    """Where the first file holds no id, as in many containers, D-Bus's counts; without both only GPUs tell."""
    root = plant({"etc/machine-id": unreadable})
    assert exact_unit([], root) is None
    assert exact_unit(["GPU-a"], root) is not None
    plant({"var/lib/dbus/machine-id": ID})
    second = exact_unit([], root)
    plant({"etc/machine-id": ID})
    assert exact_unit([], root) == second is not None


def test_environment_says_who_it_is() -> None:
    """Class and unit of this machine and the code are part of its environment, or the reason why there is no unit."""
    environment = read_environment()
    assert environment["machine_class"] == machine_class(environment)
    assert bool(environment["exact_unit"]) != bool(environment["no_exact_unit_reason"])
    assert environment["code_sha256"] == code_sha256() is not None


def test_env_command_shows_both() -> None:
    """`bench env --all` shows the ids, and never the machine's own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.cli", "env", "--all"], capture_output=True, text=True, check=True
    )
    lines = {line[:26].strip(): line[26:] for line in done.stdout.splitlines()}
    environment = read_environment()
    assert lines["machine class"].startswith(f"id {environment['machine_class']['id']}, ")
    assert lines["exact unit"] == (environment["exact_unit"] or "unknown")
    own = Path("/etc/machine-id")
    assert not own.exists() or not own.read_text().strip() or own.read_text().strip() not in done.stdout


def test_code_is_known_by_the_content_and_place_of_what_is_measured(tmp_path: Path) -> None:
    """The workload and the worker count, nothing else: renaming and editing change it, other files do not."""
    for name in ("mnist_cnn/model.py", "bench/worker/memory.py", "bench/cli.py", "mnist_cnn/assets/mnist.npz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    before = code_sha256(tmp_path)
    assert before == code_sha256(tmp_path)
    (tmp_path / "bench/cli.py").write_text("other")
    (tmp_path / "mnist_cnn/assets/mnist.npz").write_text("other")
    assert code_sha256(tmp_path) == before
    (tmp_path / "mnist_cnn/model.py").rename(tmp_path / "mnist_cnn/other.py")
    renamed = code_sha256(tmp_path)
    (tmp_path / "bench/worker/memory.py").write_text("other")
    assert len({before, renamed, code_sha256(tmp_path)}) == 3
    assert code_sha256(tmp_path / "nowhere") is None


def test_hosts_together_are_another_unit_and_class() -> None:
    """One host is itself; several are one in any order, and no more than one of them where one is not known."""
    assert joint_unit(["a" * 16]) == "a" * 16
    assert joint_unit(["a" * 16, "b" * 16]) == joint_unit(["b" * 16, "a" * 16])
    assert joint_unit(["a" * 16, "b" * 16]) not in {"a" * 16, "b" * 16}
    assert joint_unit(["a" * 16, None]) is None
    one, other = machine_class(ENVIRONMENT), machine_class(ENVIRONMENT | {"driver": "1"})
    assert joint_class([one]) == one
    assert joint_class([one, other])["id"] == joint_class([other, one])["id"]
    assert len({joint_class(classes)["id"] for classes in ([one], [one, one], [one, other])}) == 3
    assert joint_class([one, other])["driver"] == f"1 or {one['driver']}"


def test_an_image_on_other_cpus_is_another_unit(plant: Plant) -> None:
    """Copies of one virtual machine share its id; the kind and number of CPUs tell them apart, clocks do not."""
    cpu = "processor\t: {}\nvendor_id\t: X\ncpu family\t: {}\nmodel\t\t: 1\ncpu MHz\t\t: {}\n\n"

    def unit(family: int, count: int = 2, mhz: int = 2000) -> str | None:
        cpuinfo = "".join(cpu.format(number, family, mhz) for number in range(count))
        return exact_unit([], plant({"etc/machine-id": ID, "proc/cpuinfo": cpuinfo}))

    unknown = exact_unit([], plant({"etc/machine-id": ID}))
    assert unit(25) == unit(25, mhz=3000)
    assert len({unit(25), unit(26), unit(25, count=4), unknown}) == 4
