"""What the words of a side become: the command line that starts its worker, and the environment that it starts in."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from bench.execute.session import WorkerLost
from bench.guard.live.comparison import Rules, plan_comparison, take_workloads
from bench.guard.live.side import parse_side
from bench.measure.environment import read_environment
from bench.plan.axes import Settings
from bench.store.pairs import create_comparison

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"
NOTES = '#!/bin/sh\nenv > "$0.env"\nprintf "%s\\n" "$@" > "$0.words"\n'
"""A program that takes a Python's place: it notes with which words and variables it was started, and ends."""


@pytest.fixture
def pythons(tmp_path: Path) -> list[Path]:
    """Two of them."""
    found = [tmp_path / name for name in ("one", "other")]
    for path in found:
        path.write_text(NOTES)
        path.chmod(0o755)
    return found


def test_each_side_starts_its_own_python_in_its_own_environment(
    pythons: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """`python=` is the program, `env:` a variable of that side alone, and in front of its imports is its own copy."""
    monkeypatch.delenv(VARIABLE, raising=False)
    sides = parse_side(f"python={pythons[0]}"), parse_side(f"python={pythons[1]},env:{VARIABLE}=0")
    workloads = take_workloads(sides, tmp_path / "sides")
    comparison = plan_comparison(sides, workloads, {}, Rules(margin=0.02, pair_s=1.0), read_environment())
    writer = create_comparison(tmp_path / "out", comparison.record)
    for place in (0, 1):
        with closing(comparison.start(writer, place, number=0).launch()) as session, pytest.raises(WorkerLost):
            session.hear(20)
    assert [path.with_suffix(".words").read_text().split() for path in pythons] == [["-P", "-m", "bench.worker"]] * 2
    noted = [path.with_suffix(".env").read_text().splitlines() for path in pythons]
    variables = [dict(line.split("=", 1) for line in lines if "=" in line) for lines in noted]
    assert [found.get(VARIABLE) for found in variables] == [None, "0"]
    first = [found["PYTHONPATH"].split(os.pathsep)[0] for found in variables]
    assert first == [str(workload.path) for workload in workloads]


@pytest.mark.parametrize(
    ("compute_mode", "settings", "why"),
    [
        ("exclusive process", {"device": "gpu"}, "its GPU is in the compute mode exclusive process"),
        ("exclusive process", {}, None),
        ("default", {"device": "gpu"}, None),
    ],
)
def test_a_gpu_that_takes_one_process_is_taken_in_turn(
    tmp_path: Path, compute_mode: str, settings: Settings, why: str | None
):
    """Where the driver lets only one process compute on it, and only for cells that do."""
    one_gpu = {
        "gpus": ["H100"],
        "gpu_capabilities": ["9.0"],
        "gpu_states": [{"uuid": "GPU-1", "unsuited": None, "compute_mode": compute_mode}],
        "gpu_is_mig_device": False,
        "packages": {"tensorflow": "2.21.0"},
    }
    sides = parse_side("default"), parse_side("default")
    workloads = take_workloads(sides, tmp_path / "sides")
    rules, environment = Rules(margin=0.02, pair_s=1.0), read_environment() | one_gpu
    comparison = plan_comparison(sides, workloads, settings, rules, environment)
    assert (comparison.why_in_turn, comparison.mode) == (why, "in turn" if why else "interleaved")
