"""What is read of a machine's counters, against file trees written by hand."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.host import Conditions
from bench.measure.conditions import read_conditions

Plant = Callable[[dict[str, str]], Path]
HERTZ, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
CPUS = {0, 2}


def ticks(cpu: str, *seconds: float) -> str:
    return f"{cpu} {' '.join(str(round(HERTZ * s)) for s in seconds)}\n"


MACHINE = {
    "proc/loadavg": "1.25 0.80 0.40 3/250 4242\n",
    # user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice
    "proc/stat": "cpu  1 2 3\n"
    + ticks("cpu0", 10, 1, 2, 50, 4, 0.5, 0.5, 3, 10, 1)
    + ticks("cpu1", 900, 0, 0, 0, 0, 0, 0, 900, 0, 0)
    + ticks("cpu2", 20, 0, 4, 60, 0, 0, 2, 1, 0, 0)
    + "intr 5\n",
    "proc/pressure/cpu": "some avg10=0.17 avg60=0.52 avg300=2.87 total=2500000\nfull avg10=0.00 total=9\n",
    "proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000\nfull avg10=0.00 total=9\n",
    "proc/pressure/io": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 total=0\n",
    "proc/cpuinfo": "".join(
        f"processor\t: {cpu}\nmodel name\t: X\ncpu MHz\t\t: {mhz}\n\n"
        for cpu, mhz in enumerate((2000.5, 100.0, 3000.5))
    ),
    "proc/meminfo": "MemTotal:       16 kB\nMemAvailable:   2048 kB\n",
    "proc/vmstat": "pgpgin 7\npswpin 3\npswpout 9\n",
    "proc/self/cgroup": "0::/\n",
    "sys/fs/cgroup/cgroup.procs": "",
    "sys/fs/cgroup/cpu.stat": "nr_throttled 6\nthrottled_usec 1500000\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "2\n",
    "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "5\n",
}
EMPTY: dict[str, Any] = dict.fromkeys(Conditions.model_fields)


def told(root: Path) -> dict[str, Any]:
    """All that was read but the clock, which is no file."""
    return read_conditions(root, CPUS).model_dump(exclude={"clock_s", "cpus"})


def test_every_counter(plant: Plant) -> None:
    """Each figure is in the unit of its name; guests, idleness, other CPUs and `full` pressure are left out."""
    assert told(plant(MACHINE)) == {
        "load_1min": 1.25,
        "busy_s": pytest.approx(14 + 26),
        "steal_s": pytest.approx(4),
        "pressure_cpu_s": 2.5,
        "pressure_memory_s": 0.001,
        "pressure_io_s": 0.0,
        "throttled_s": 1.5,
        "throttled_periods": 6,
        "frequency_mhz": 2500.5,
        "governor": "powersave",
        "memory_available_bytes": 2 * 2**20,
        "swapped_in_bytes": 3 * PAGE,
        "heat_throttles": 7,
    }


def test_driver_of_the_clock_goes_before_cpuinfo(plant: Plant) -> None:
    """The frequency driver tells kHz of each CPU; its mean is over the usable ones."""
    clocks = {0: 1_000_000, 1: 9_000_000, 2: 2_000_000}
    files = {f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq": f"{khz}\n" for cpu, khz in clocks.items()}
    assert told(plant(MACHINE | files))["frequency_mhz"] == 1500.0


def test_missing_files_are_none(plant: Plant) -> None:
    """Where nothing can be read only the clock is told."""
    conditions = read_conditions(plant({}), set())
    assert conditions.model_dump(exclude={"clock_s"}) == {name: None for name in EMPTY if name != "clock_s"}


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    """What can be opened but not read is None."""
    for name in MACHINE:
        (tmp_path / name).mkdir(parents=True)
    assert set(told(tmp_path).values()) == {None}


def test_one_usable_cpu_without_its_counters(plant: Plant) -> None:
    """Half a sum would be another figure: with one CPU missing there is none."""
    machine = plant(MACHINE | {"proc/stat": ticks("cpu0", 10, 1, 2, 50, 4, 0.5, 0.5, 3)})
    assert (told(machine)["busy_s"], told(machine)["steal_s"]) == (None, None)


@pytest.mark.parametrize(
    "torn", ["", "\0", "\n", "cpu0 1 2\ncpu2 x", "some total=", "some total=nan", "pswpin -3", "inf"]
)
def test_torn_files_are_none(plant: Plant, torn: str) -> None:
    """Every file torn in the same way gives nothing, and no error."""
    figures = told(plant(dict.fromkeys(MACHINE, torn)))
    assert {value for name, value in figures.items() if name != "governor"} == {None}


@given(name=st.sampled_from(sorted(MACHINE)), content=st.binary(max_size=80), keep=st.integers(0, 200))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_content_is_an_error(plant: Plant, name: str, content: bytes, keep: int) -> None:
    """Whatever follows the first bytes of a file, the reading is one that can be stored and read again."""
    root = plant(MACHINE)
    (root / name).write_bytes(MACHINE[name].encode()[:keep] + content)
    conditions = read_conditions(root, CPUS)
    assert Conditions.model_validate_json(conditions.model_dump_json()) == conditions


def test_two_readings_of_this_machine() -> None:
    """The real counters never go back."""
    before, after = read_conditions(), read_conditions()
    assert after.clock_s >= before.clock_s > 0
    for name in ("busy_s", "steal_s", "pressure_cpu_s", "throttled_s", "swapped_in_bytes"):
        was, now = getattr(before, name), getattr(after, name)
        assert (was is None) == (now is None)
        assert was is None or now >= was


def test_busy_seconds_hold_those_of_a_process() -> None:
    """A child that computes for half a CPU second, by its own account, is in the busy seconds of the CPUs."""
    before = read_conditions()
    if before.busy_s is None:
        pytest.skip("this system does not tell the ticks of its CPUs")
    burn = "import time\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)
    after = read_conditions()
    assert after.busy_s is not None
    assert after.busy_s - before.busy_s > 0.4
