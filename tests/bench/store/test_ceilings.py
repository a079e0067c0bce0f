"""The cache of ceilings: what is kept is read back, and what somebody else put there does no harm."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.protocol.answers import Ceiling, CeilingsMeasured
from bench.store.ceilings import METHOD, keep_ceilings, read_ceilings
from bench.store.record import Ceilings, RunRecord

UNIT = "0123456789abcdef"
ENVIRONMENT: dict[str, Any] = {"exact_unit": UNIT, "usable_cpus": 2, "packages": {"tensorflow-cpu": "2.21.0"}}
ONE = Ceiling(value=225e9, median=220e9, n=4)
CEILINGS = Ceilings(
    exact_unit=UNIT,
    usable_cpus=2,
    tensorflow="2.21.0",
    method=METHOD,
    measured_utc="2026-01-02T03:04:05+00:00",
    spoilers=["load is 3.0 on 2 CPUs"],
    measured=[
        CeilingsMeasured(
            device="cpu",
            threads=2,
            matmul_flops_per_s={"float32": ONE, "mixed_bfloat16": ONE},
            convolution_flops_per_s={"float32": ONE},
            memory_bytes_per_s=ONE,
            dispatch_s=Ceiling(value=5e-5, median=6e-5, n=12),
        )
    ],
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mnist-cnn-bench"


def test_kept_ceilings_are_read_back(cache: Path) -> None:
    """All figures come back, the folder is made, and nothing temporary stays beside the file."""
    assert read_ceilings(ENVIRONMENT) == (None, [])
    path = keep_ceilings(CEILINGS)
    assert read_ceilings(ENVIRONMENT) == (CEILINGS, [])
    assert list(cache.iterdir()) == [path]


def test_later_measurement_replaces_the_earlier(cache: Path) -> None:
    """There is one file for each unit."""
    keep_ceilings(CEILINGS)
    later = CEILINGS.model_copy(update={"measured_utc": "2026-02-02T03:04:05+00:00"})
    keep_ceilings(later)
    assert read_ceilings(ENVIRONMENT) == (later, [])


@pytest.mark.parametrize(
    "change",
    [
        {"exact_unit": "f" * 16},
        {"usable_cpus": 1},
        {"packages": {"tensorflow": "2.22.0"}},
        {"exact_unit": None},
        {"exact_unit": "../../../etc/passwd"},
        {"packages": {}},
    ],
    ids=["unit", "CPUs", "TensorFlow", "no unit", "hostile unit", "no TensorFlow"],
)
def test_another_machine_has_no_ceilings(change: dict[str, Any]) -> None:
    """Another unit, another number of CPUs or another TensorFlow never gets these figures."""
    keep_ceilings(CEILINGS)
    assert read_ceilings(ENVIRONMENT | change) == (None, [])


def test_without_xdg_the_cache_is_below_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative XDG_CACHE_HOME is ignored, as its specification asks."""
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert keep_ceilings(CEILINGS).parent == tmp_path / "home" / ".cache" / "mnist-cnn-bench"


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def negative(path: Path) -> None:
    content = json.loads(path.read_text())
    content["measured"][0]["matmul_flops_per_s"]["float32"]["value"] = -1
    path.write_text(json.dumps(content))


def infinite(path: Path) -> None:
    path.write_text(path.read_text().replace("225000000000.0", "1e999"))


def of_another_unit(path: Path) -> None:
    path.write_text(path.read_text().replace(UNIT, "f" * 16))


def of_an_older_method(path: Path) -> None:
    content = json.loads(path.read_text())
    del content["method"]
    path.write_text(json.dumps(content))


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "torn": (torn, "not JSON"),
    "empty": (lambda path: path.write_bytes(b""), "not JSON"),
    "bytes": (lambda path: path.write_bytes(b"\xff\x00\x1b[31m"), "not JSON"),
    "deep": (lambda path: path.write_text("[" * 100_000), "not JSON"),
    "list": (lambda path: path.write_text("[]"), "Input should be"),
    "negative": (negative, "measured.0.matmul_flops_per_s.float32.value"),
    "infinite": (infinite, "finite number"),
    "another unit": (of_another_unit, "of another machine"),
    "older method": (of_an_older_method, "measured in another way than today's; measure anew with"),
    "large": (lambda path: path.write_text(" " * 1_000_001), "not a file of ceilings"),
    "pipe": (pipe, "not a file of ceilings"),
    "folder": (folder, "not a file of ceilings"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_unusable_file_is_ignored_with_one_line(kind: str) -> None:
    """Whatever stands there gives no ceilings and one printable line that names it, the fault and the mend."""
    spoil, told = HOSTILE[kind]
    path = keep_ceilings(CEILINGS)
    spoil(path)
    ceilings, (line,) = read_ceilings(ENVIRONMENT)
    assert ceilings is None
    assert str(path) in line
    assert told in line
    assert "bench env --measure" in line
    assert line.isprintable()


def test_run_keeps_its_ceilings_and_older_runs_have_none(plan: Callable[..., RunRecord]) -> None:
    """run.json holds the ceilings as they were; a run written before there were any is readable."""
    run = plan(ceilings=CEILINGS)
    assert RunRecord.model_validate(json.loads(run.model_dump_json())).ceilings == CEILINGS
    old = json.loads(run.model_dump_json(exclude={"ceilings"}))
    assert RunRecord.model_validate(old).ceilings is None
