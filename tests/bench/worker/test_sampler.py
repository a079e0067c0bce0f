"""The sampler in a process of its own: the real nvidia-ml-py loads a library that plays a script."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bench.execute.launchers import Launcher
from bench.execute.sampling import Sampling, sampling
from bench.measure.energy import Stretch, energy_j, power_integral_j
from bench.measure.telemetry import figures_of
from bench.plan.support import Machine
from bench.store.telemetry import Telemetry, read_telemetry
from bench.trial import Cell, Trial

Sample = Callable[..., tuple[Telemetry, float]]
Gone = Callable[..., float]
UUID = "GPU-a0000000-0000"
HERE = Sampling(Launcher(), Machine())
H100 = """count 1
0.name NVIDIA H100
0.memory 8589934592
0.memory_total 85899345920
0.power 0:100000 4:100000 5:400000 7:200000
0.sm_clock 1980
0.mem_clock 2619
0.temperature 55
0.util 97
0.mem_util 40
0.reasons 4
0.ecc 2
0.process 4242:7516192768
"""


def words(*uuids: str) -> list[str]:
    """The command line of a sampler on this machine."""
    return Launcher().command_line(0, ["--sample", *uuids])


@pytest.fixture
def sample(play: Callable[[str], float], tmp_path: Path) -> Sample:
    """What a sampler wrote from its start to some second of a script, and the script's second 0."""

    def run(script: str, *uuids: str, until_s: float = 0.0) -> tuple[Telemetry, float]:
        began, path = play(script), tmp_path / "telemetry" / "t.jsonl"
        with sampling([(words(*(uuids or [UUID])), path)], tmp_path / "t.log"):
            wait_for_lines(path)
            time.sleep(max(0.5, began + until_s - time.monotonic()))
        return read_telemetry(path), began

    return run


def wait_for_lines(path: Path) -> None:
    """Until the sampler has begun to write, 30 s at most."""
    deadline = time.monotonic() + 30
    while not path.exists() or not path.stat().st_size:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_energy_agrees_with_the_scripted_power(sample: Sample) -> None:
    """Over 1.5 s of a power that rises by 300 W a second and falls again: within 1 % of its integral, by both ways."""
    told, began = sample(H100, until_s=6.6)
    (gpu,) = told.gpus.values()
    stretch = Stretch(began + 4.8, began + 6.3, 100, 0.0)
    truth = (340 + 400) / 2 * 0.2 + (400 + 270) / 2 * 1.3
    assert energy_j(gpu, stretch) == pytest.approx(truth, rel=0.01)
    assert power_integral_j(gpu, stretch) == pytest.approx(truth, rel=0.01)


def test_throttle_of_thirty_percent_of_the_windows_is_told_as_that(sample: Sample) -> None:
    """The power cap holds from second 4 to 5.5: six of twenty windows of 0.25 s, of which the last ends at second 8."""
    told, began = sample(f"{H100}0.reasons 0:0 4:4 5.5:0\n", until_s=8.2)
    # a little inside the scripted seconds, so that no reading at a window's edge belongs to its neighbour
    windows = [(began + 3 + 0.25 * place + 0.06, 0.13) for place in range(20)]
    figures = figures_of(list(told.gpus.values()), windows, Stretch(began + 3, began + 8, 1, 0.0))
    assert figures.throttled_windows == pytest.approx(0.3)
    assert "clocks throttled: power cap in 30 % of windows" in figures.notes


def test_every_figure_has_its_unit(sample: Sample) -> None:
    """Bytes, shares, MHz, degrees and counts, as the script has them; ten samples a second."""
    told, _ = sample(H100, until_s=3.0)
    (gpu,) = told.gpus.values()
    expected = {
        "memory_used_bytes": 2**33, "utilisation": 0.97, "memory_utilisation": 0.4, "sm_clock_mhz": 1980,
        "memory_clock_mhz": 2619, "temperature_c": 55, "ecc_errors": 2, "event_reasons": 4,
    }  # fmt: skip
    assert {name: gpu.columns[name][-1] for name in expected} == expected
    assert told.processes == {4242: 7 * 2**30}
    assert (told.reason, told.lost) == ("", {})
    assert 0.09 < sorted(gpu.at_s[1:] - gpu.at_s[:-1])[len(gpu.at_s) // 2] < 0.15


def test_what_a_consumer_card_does_not_tell_is_empty(sample: Sample) -> None:
    """Neither an energy counter nor ECC: no figure, where 0 would be a lie."""
    told, _ = sample("count 1\n0.name GeForce\n0.power 120000\n0.error.energy 3\n0.error.util 4\n")
    (gpu,) = told.gpus.values()
    assert gpu.known("power_w")[1][-1] == 120
    silent = ("energy_j", "ecc_errors", "memory_used_bytes", "utilisation", "event_reasons", "sm_clock_mhz")
    assert [name for name in silent if len(gpu.known(name)[1])] == []


def test_eight_gpus_are_told_apart(sample: Sample) -> None:
    """Each by its UUID, in any order asked."""
    script = "count 8\n" + "".join(f"{place}.name A100\n{place}.power {place}000\n" for place in range(8))
    uuids = [f"GPU-{letter}0000000-0000" for letter in "hgfedcba"]
    told, _ = sample(script, *uuids)
    assert {uuid: gpu.known("power_w")[1][-1] for uuid, gpu in told.gpus.items()} == {
        uuid: 7 - place for place, uuid in enumerate(uuids)
    }


def test_gpu_that_is_lost_leaves_what_it_told(sample: Sample) -> None:
    """Its samples up to then stay, the others go on, and the reason is NVML's."""
    script = "count 2\n0.name A\n0.power 100000\n0.lost 5\n1.name B\n1.power 50000\n"
    told, began = sample(script, UUID, "GPU-b0000000-0000", until_s=6.0)
    first, second = told.gpus.values()
    assert told.lost == {UUID: "NVML: GPU is lost"}
    assert began < first.at_s[-1] < began + 5
    assert second.at_s[-1] > began + 5.3


def test_gpu_that_tells_nothing_any_more_is_lost_whatever_the_code(sample: Sample) -> None:
    """As after a fault that NVML has no code of its own for: every question ends with 999."""
    keys = ("memory", "util", "power", "energy", "sm_clock", "mem_clock", "temperature", "reasons", "ecc", "pcie_tx")
    script = "count 1\n0.name A\n" + "".join(f"0.error.{key} 999\n" for key in (*keys, "pcie_rx"))
    told, _ = sample(script, until_s=2.5)
    assert told.lost == {UUID: "NVML tells nothing of it any more"}


def test_gpu_that_is_not_there_is_told_and_the_others_go_on(sample: Sample) -> None:
    """An UUID that NVML does not know has no samples, and the reason."""
    told, _ = sample("count 1\n0.name A\n0.power 100000\n", UUID, "GPU-z")
    assert told.lost == {"GPU-z": "NVML: Not Found"}
    assert [len(gpu.at_s) > 0 for gpu in told.gpus.values()] == [True, False]


@pytest.mark.parametrize(
    ("script", "reason"), [("init 18\n", "version mismatch"), ("init 4\n", "Permission"), ("init 9\n", "Driver")]
)
def test_driver_that_does_not_answer_is_told(sample: Sample, script: str, reason: str) -> None:
    """The file says why there is no sample."""
    told, _ = sample(script)
    assert told.gpus == {}
    assert reason.lower() in told.reason.lower()


def test_without_nvml_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No driver at all, as on a machine without a GPU."""
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    path = tmp_path / "telemetry" / "t.jsonl"
    with sampling([(words("GPU-a"), path)], tmp_path / "t.log"):
        wait_for_lines(path)
    assert "NVML" in read_telemetry(path).reason


def test_trial_on_a_cpu_has_no_sampler(tmp_path: Path) -> None:
    """Nothing is started and no file is made."""
    with HERE(Trial(cell=Cell()), [], tmp_path / "telemetry" / "t.jsonl", tmp_path / "t.log") as sampled:
        assert not sampled
    assert list(tmp_path.iterdir()) == []


def test_trial_whose_gpus_are_not_known_keeps_that(tmp_path: Path) -> None:
    """Nothing is started, and the file says why nothing is told."""
    path = tmp_path / "telemetry" / "t.jsonl"
    with HERE(Trial(cell=Cell(device="gpu")), [], path, tmp_path / "t.log") as sampled:
        assert sampled
    assert read_telemetry(path).reason == "NVML does not tell which GPUs the trial takes"


def test_traffic_is_read_once_a_second_and_in_bytes(sample: Sample) -> None:
    """KB of PCIe and KiB of NVLink become bytes; PCIe takes the driver 40 ms, so it is not asked in every beat."""
    keys = "pcie_tx 2000000\n{0}.pcie_rx 500000\n{0}.nvlink_tx 0:0 100:100000000\n{0}.nvlink_rx 7"
    script = "count 2\n" + "".join(f"{place}.name A100\n{place}.{keys.format(place)}\n" for place in range(2))
    told, _ = sample(script, UUID, "GPU-b0000000-0000", until_s=4.5)
    for gpu in told.gpus.values():
        at_s, rate = gpu.known("pcie_tx_bytes_per_s")
        assert set(rate) == {2e9}
        assert set(gpu.known("pcie_rx_bytes_per_s")[1]) == {5e8}
        assert (at_s[1:] - at_s[:-1]).min() > 0.9
        read_s, counted = gpu.known("nvlink_tx_bytes")
        assert counted[-1] - counted[0] == pytest.approx(1.024e9 * (read_s[-1] - read_s[0]), rel=0.05)
        assert len(gpu.at_s) > 5 * len(rate)


def test_mig_device_is_sampled_by_its_uuid(sample: Sample) -> None:
    """Its memory is its own; what NVML gives no MIG device is empty, never that of its GPU."""
    script = "count 1\n0.name A100\n0.mig 1\n0.power 90000\n0.util 50\n1.parent 0\n1.uuid MIG-1\n"
    told, _ = sample(f"{script}1.memory 4096\n1.memory_total 8192\n1.process 7:100\n", "MIG-1")
    (gpu,) = told.gpus.values()
    assert set(gpu.known("memory_used_bytes")[1]) == {4096}
    assert [len(gpu.known(name)[1]) for name in ("power_w", "utilisation", "energy_j")] == [0, 0, 0]
    assert told.processes == {7: 100}


@pytest.mark.usefixtures("other_driver")
def test_another_library_that_lacks_functions_is_sampled(tmp_path: Path) -> None:
    """It finds no GPU by its UUID: they are looked through; what it does not tell is empty."""
    path = tmp_path / "telemetry" / "t.jsonl"
    with sampling([(words("GPU-1"), path)], tmp_path / "t.log"):
        wait_for_lines(path)
        time.sleep(0.5)
    (gpu,) = (told := read_telemetry(path)).gpus.values()
    assert told.lost == {}
    assert (gpu.known("power_w")[1][-1], gpu.known("memory_used_bytes")[1][-1]) == (70, 1000)
    silent = set(gpu.columns) - {"power_w", "memory_used_bytes"}
    assert [name for name in silent if len(gpu.known(name)[1])] == []


def test_sampler_ends_with_its_block(play: Callable[[str], float], tmp_path: Path, seconds_until_gone: Gone) -> None:
    """As soon as the trial is over, and even where it hangs in a driver's call."""
    play(H100)
    for stops in (False, True):
        path = tmp_path / "telemetry" / f"{stops}.jsonl"
        with sampling([(words(UUID), path)], tmp_path / "t.log"):
            wait_for_lines(path)
            pids = [child.pid for child in psutil.Process().children(recursive=True)]
            assert len(pids) == 2
            for pid in pids if stops else []:
                os.kill(pid, signal.SIGSTOP)
        assert seconds_until_gone(*pids) < 10


def test_sampler_outlives_no_killed_parent(
    play: Callable[[str], float], tmp_path: Path, seconds_until_gone: Gone
) -> None:
    """After kill -9 of the process that had begun it."""
    play(H100)
    path = tmp_path / "telemetry" / "t.jsonl"
    program = f"""
import time
from pathlib import Path
from bench.execute.sampling import sampling
with sampling([({words(UUID)!r}, Path({str(path)!r}))], Path({str(tmp_path / "t.log")!r})):
    time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", program])
    wait_for_lines(path)
    pids = [child.pid for child in psutil.Process(parent.pid).children(recursive=True)]
    parent.kill()
    parent.wait()
    assert len(pids) == 2
    assert seconds_until_gone(*pids) < 10
