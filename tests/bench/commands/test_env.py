"""`bench env --measure` with workers that answer at once: what is printed, what is kept, how it ends."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.commands.env import measure_machine
from bench.measure.environment import read_environment
from bench.protocol.answers import Ceiling, CeilingsMeasured, Failed, Hello
from bench.protocol.commands import MeasureCeilings
from bench.protocol.conversation import PROTOCOL_VERSION, AnyAnswer, AnyCommand
from bench.store.ceilings import METHOD, keep_ceilings, read_ceilings, unit_of
from bench.store.record import Ceilings
from bench.store.runs import read_run

QUIET: dict[str, Any] = {
    "exact_unit": "0123456789abcdef",
    "usable_cpus": 2,
    "packages": {"tensorflow-cpu": "2.21.0"},
    "gpus": [],
    "gpu_capabilities": [],
    "no_gpu_reason": "none here",
    "load_1min": 0.0,
    "cpu_governor": None,
    "cpu_limit": None,
    "memory_available_bytes": 2**34,
}


class Worker:
    """Says hello, then measures what it is asked in no time, or fails."""

    def __init__(self, log: Path, failing_threads: int | None, gain: float):
        self.log, self.failing_threads, self.gain = log, failing_threads, gain
        self.asked: MeasureCeilings | None = None

    def say(self, command: AnyCommand) -> None:
        assert isinstance(command, MeasureCeilings)
        self.asked = command

    def hear(self, timeout_s: float) -> AnyAnswer:
        if self.asked is None:
            return Hello(protocol_version=PROTOCOL_VERSION, host="fake", pid=7, versions={})
        if self.asked.threads == self.failing_threads:
            return Failed(status="oom", reason="out of memory")
        gain = self.gain if self.asked.threads == 2 else 1.0
        one = Ceiling(value=gain * 100e9, median=gain * 90e9, n=4)
        found = dict.fromkeys(self.asked.precisions, one)
        return CeilingsMeasured(
            device=self.asked.device,
            threads=self.asked.threads,
            matmul_flops_per_s=found,
            convolution_flops_per_s=found,
            memory_bytes_per_s=Ceiling(value=30e9, median=29e9, n=4),
            dispatch_s=Ceiling(value=55e-6, median=60e-6, n=4),
        )

    def close(self) -> None:
        self.log.write_text("closed")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def measure(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Measures a machine; returns the exit code and what stood on stdout and stderr."""

    def measure(failing_threads: int | None = None, gain: float = 2.0, **change: Any) -> tuple[int, str, str]:
        code = measure_machine(QUIET | change, lambda log: Worker(log, failing_threads, gain))
        return code, *capsys.readouterr()

    return measure


def test_ceilings_are_printed_with_units_and_cached(measure: Callable[..., Any], cache: Path) -> None:
    """One line per precision and number of threads, the file's path, and the same figures in it."""
    code, out, err = measure()
    assert (code, err) == (0, "")
    assert all(unit in out for unit in ("GFLOP/s", "GB/s", "µs"))
    assert out.count("100 (90.0)") == out.count("200 (180)") == 2 * 3
    assert "30.0 (29.0)" in out
    assert "55.0 (60.0)" in out
    ceilings, _ = read_ceilings(QUIET)
    assert ceilings is not None
    assert [one.threads for one in ceilings.measured] == [1, 2]
    assert ceilings.spoilers == []
    assert str(next((cache / "mnist-cnn-bench").iterdir())) in out.replace("\n", "")


def test_measured_under_load_says_so_for_ever(measure: Callable[..., Any]) -> None:
    """What spoiled the measurement is kept with it."""
    measure(load_1min=3.0)
    ceilings, _ = read_ceilings(QUIET)
    assert ceilings is not None
    assert "load is 3.0 on 2 CPUs" in ceilings.spoilers[0]


def test_threads_that_gain_nothing_cast_doubt(measure: Callable[..., Any]) -> None:
    """Two threads no faster than one were disturbed, or share a core: that is said, and kept with the figures."""
    _, out, _ = measure(gain=0.97)
    assert "Caution: 2 threads came to 0.97 × the matmul of one" in out
    ceilings, _ = read_ceilings(QUIET)
    assert ceilings is not None
    assert "0.97" in ceilings.spoilers[0]


def test_machine_without_exact_unit_is_measured_but_not_cached(measure: Callable[..., Any], cache: Path) -> None:
    """Figures that could be another machine's are shown and not kept, and the reason is said."""
    code, out, _ = measure(exact_unit=None)
    assert code == 0
    assert "200 (180)" in out
    assert "Not cached" in out
    assert not cache.exists()


def test_cache_that_cannot_be_written_loses_nothing_on_the_screen(measure: Callable[..., Any], cache: Path) -> None:
    """A file in the folder's place is told in one line with the mend."""
    cache.write_text("in the way")
    code, out, _ = measure()
    assert code == 0
    assert "200 (180)" in out
    assert "set XDG_CACHE_HOME" in out


def test_worker_that_fails_is_told_and_nothing_is_cached(measure: Callable[..., Any]) -> None:
    """The exit code is 1, the reason and the log are named, the others shown; whole ceilings cached before stay."""
    code, out, err = measure(failing_threads=2)
    assert code == 1
    assert err.startswith("CPU with 2 threads: out of memory; see ")
    assert Path(err.split("see ")[1].strip()).read_text() == "closed"
    assert out.count("100 (90.0)") == 2 * 3
    assert "Not cached" in out
    assert read_ceilings(QUIET)[0] is None


def test_run_takes_the_cached_ceilings_of_its_unit_along(tmp_path: Path) -> None:
    """`bench run` writes them into run.json, so that its report needs nothing else; a torn file is told and ignored."""
    unit = unit_of(read_environment())
    if unit is None:
        pytest.skip("this machine has no exact unit, so that nothing is cached for it")
    exact_unit, usable_cpus, tensorflow = unit
    ceilings = Ceilings(
        exact_unit=exact_unit,
        usable_cpus=usable_cpus,
        tensorflow=tensorflow,
        method=METHOD,
        measured_utc="now",
        measured=[],
    )
    path = keep_ceilings(ceilings)
    # nothing is asked of this run but to be planned, stored and reported
    words = ["run", "t.toml", "--time-limit", "0.1", "--out", str(tmp_path / "out"), "--json"]
    (tmp_path / "t.toml").write_text('name = "t"\ndefaults = { epochs = 0 }\n')
    command = [sys.executable, "-m", "bench.cli", *words]
    first = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=True)
    path.write_text("{")
    again = [*command, "--dry-run"]
    second = subprocess.run(again, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=True)
    folder = Path(json.loads(first.stdout.splitlines()[0])["folder"])
    assert read_run(tmp_path / folder).run.ceilings == ceilings
    assert first.stderr == ""
    assert "ignored: not JSON" in second.stderr
