"""`bench env` as a letter that a person reads."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from bench.commands.env_letter import letter
from bench.host import Conditions
from bench.measure.environment import read_environment
from bench.measure.examination import Examination, examine
from bench.protocol.answers import Ceiling, CeilingsMeasured
from bench.store.record import Ceilings

QUIET = {"load_1min": 0.1, "usable_cpus": 2, "cpu_governor": None, "cpu_limit": None, "memory_available_bytes": 2**34}
FOUND = Examination(faults=["load is 2.0: stop what runs"], good=["no cgroup withholds CPU time"], advice=[])


def bench(*words: str) -> str:
    command = [sys.executable, "-m", "bench.cli", "env", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def written() -> Callable[..., dict[str, list[str]]]:
    """The lines of a letter by heading, for this machine with some facts changed."""
    here = read_environment()

    def write(
        found: Examination = FOUND, ceilings: Ceilings | None = None, width: int | None = None, **change: Any
    ) -> dict[str, list[str]]:
        return {one.title: list(one.lines(width)) for one in letter(here | change, found, ceilings)}

    return write


def test_letter_has_its_parts_in_order() -> None:
    """The machine, what would spoil a measurement, what is good, ceilings; every fact only where it is asked for."""
    short, whole = bench(), bench("--all")
    headings = ["This machine", "What would spoil a measurement", "What is good", "Ceilings"]
    places = [short.splitlines().index(heading) for heading in headings]
    assert places == sorted(places)
    assert "code sha256" not in short
    assert "code sha256" in whole
    assert "\x1b" not in whole


def test_programs_get_it_as_json() -> None:
    """One object with the environment as a run keeps it and the findings."""
    told = json.loads(bench("--json"))
    assert told["environment"]["usable_cpus"] == read_environment()["usable_cpus"]
    assert all(isinstance(told[name], list) for name in ("faults", "good", "advice"))
    assert told["ceilings"] is None


def test_machine_is_described_by_what_a_person_asks_for(written: Callable[..., dict[str, list[str]]]) -> None:
    """CPUs that may be used of those there are, limits, memory, GPUs or why there is none, TensorFlow and its build."""
    facts = "\n".join(
        written(
            cpu_model="AMD EPYC", usable_cpus=2, logical_cpus=8, cpu_limit=1.5, cpu_flags_low_precision=[],
            memory_bytes=8 * 2**30, memory_available_bytes=6 * 2**30, memory_limit_gib=4.0,
            gpus=[], no_gpu_reason="NVML is not there",
            packages={"tensorflow-cpu": "2.21.0", "keras": "3.15.1"}, container="docker", exact_unit="0123456789abcdef",
        )["This machine"]
    )  # fmt: skip
    for told in (
        "AMD EPYC: 2 of 8 logical CPUs may be used; emulates half precision",
        "a cgroup allows 1.5 CPUs",
        "8.0 GiB, of which 6.0 GiB are available; a cgroup allows 4 GiB",
        "none: NVML is not there",
        "2.21.0, the CPU build; Keras 3.15.1",
        "trains on the CPU",
        "docker",
        "0123456789abcdef",
    ):
        assert told in facts
    without = "\n".join(written(packages={}, gpus=[], memory_limit_gib=None)["This machine"])
    assert "not installed" in without
    assert "the extra cpu or gpu" in without
    assert "are available; no cgroup limits it" in without


def test_letter_is_wrapped_to_the_terminal_and_nothing_is_lost(written: Callable[..., dict[str, list[str]]]) -> None:
    """No line is longer than the terminal is wide, and the words are those of the unwrapped letter."""
    wide, narrow = written(), written(width=60)
    assert max(len(line) for lines in narrow.values() for line in lines) <= 60
    for title, lines in wide.items():
        assert " ".join(narrow[title]).split() == " ".join(lines).split()


def test_ceilings_are_told_or_how_to_measure_them(written: Callable[..., dict[str, list[str]]]) -> None:
    """Cached ones with their date and what disturbed them, without control characters; else the command."""
    assert "bench env --measure" in written()["Ceilings"][0]
    best = Ceiling(value=74e9, median=70e9, n=4)
    measured = CeilingsMeasured(
        device="cpu", threads=2, matmul_flops_per_s={"float32": best}, convolution_flops_per_s={"float32": best},
        memory_bytes_per_s=Ceiling(value=20e9, median=19e9, n=4), dispatch_s=Ceiling(value=52e-6, median=60e-6, n=4),
    )  # fmt: skip
    ceilings = Ceilings(
        exact_unit="0123456789abcdef", usable_cpus=2, tensorflow="2.21.0", measured_utc="2026-11-25T10:00:00+00:00",
        spoilers=["load was\x1b[2J 3"], measured=[measured],
    )  # fmt: skip
    lines = written(ceilings=ceilings)["Ceilings"]
    assert lines[0].split(maxsplit=1) == [
        "CPU",
        "2 threads: matmul 74.0 float32 GFLOP/s; memory 20.0 GB/s; 52.0 µs a dispatch",
    ]
    assert "2026-11-25" in lines[1]
    assert lines[2].endswith("when they were measured: load was [2J 3")


@pytest.mark.parametrize(
    ("now", "advice", "good"),
    [
        ({"busy_s": 99.0, "steal_s": 1.0001}, ["hypervisor gave 1 %"], []),
        ({"busy_s": 99.0, "steal_s": 0.5}, [], ["no hypervisor took"]),
        ({"busy_s": 0.0, "steal_s": 0.0}, [], ["no hypervisor took"]),
        ({"heat_throttles": 1234}, ["heat slowed a CPU down 1,234 times"], []),
        ({"heat_throttles": 0}, [], ["heat has slowed no CPU"]),
        ({}, [], []),
    ],
)
def test_counters_since_boot_are_looked_at(now: dict[str, Any], advice: list[str], good: list[str]) -> None:
    """Stolen CPU time and heat of the past are advice, not faults of now; what is not counted is neither, nor good."""
    quiet = examine(QUIET | {"gpus": [], "no_gpu_reason": ""}, Conditions(clock_s=1.0))
    found = examine(QUIET | {"gpus": [], "no_gpu_reason": ""}, Conditions.model_validate({"clock_s": 1.0} | now))
    assert quiet.faults == found.faults == []
    assert len(found.good) == len(quiet.good) + len(good)
    added = [line for line in found.advice if line not in quiet.advice]
    assert [words in line for words, line in zip(advice, added, strict=True)] == [True] * len(advice)
    assert all(any(words in line for line in found.good) for words in good)


def test_what_is_a_fault_is_not_good_at_once() -> None:
    """Each check says one or the other."""
    busy = examine(QUIET | {"load_1min": 1.9, "gpus": [], "no_gpu_reason": ""}, Conditions(clock_s=1.0))
    assert [line.startswith("load is 1.9") for line in busy.faults] == [True]
    assert not any("load" in line for line in busy.good)


def test_measuring_is_not_json() -> None:
    """One line with exit code 2."""
    command = [sys.executable, "-m", "bench.cli", "env", "--measure", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "leave out --measure" in done.stderr
