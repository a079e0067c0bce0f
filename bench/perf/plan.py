"""Which cells are timed: options of pytest to trials, checked before anything is collected."""

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.measure.environment import read_environment
from bench.perf.clock import WindowClock
from bench.plan.axes import Settings
from bench.plan.data import checked_data
from bench.plan.planning import plan_trials
from bench.plan.suite import Suite, load_suite, parse_overrides
from bench.plan.support import machine_of, require_tensorflow
from bench.report.exports.pytest_benchmark import names_of
from bench.trial import Trial

DEFAULT_SUITE = "perf"
WINDOWS = 32
"""As many as any trial has at least."""


@dataclass(frozen=True)
class Case:
    """One test: its trial, and the timer that its windows move."""

    trial: Trial
    clock: WindowClock


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be timed, by the name of each test, and how."""

    cases: Mapping[str, Case]
    windows: int
    epochs: int
    data: Path | None
    data_sha256: str
    out: Path
    environment: dict[str, Any]


def add_options(parser: pytest.Parser) -> None:
    """Add the options that say what is timed."""
    group = parser.getgroup("bench", "training sessions (bench/perf)")
    group.addoption(
        "--bench-suite",
        metavar="NAME|FILE",
        help=f"Suite whose cells are timed. Default: {DEFAULT_SUITE}.",
    )
    group.addoption(
        "--bench-cell",
        metavar="AXIS=VALUE,…",
        action="append",
        default=[],
        help="A cell to time instead, such as engine=fused,global_batch=64. May be given several times.",
    )
    group.addoption(
        "--bench-set",
        metavar="AXIS=V1,V2",
        action="append",
        default=[],
        help="Override an axis of all cells. May be given several times.",
    )
    group.addoption(
        "--bench-windows",
        metavar="N",
        type=_counted(1),
        default=WINDOWS,
        help=f"Windows of each cell; never fewer than --benchmark-min-rounds. Default: {WINDOWS}.",
    )
    group.addoption(
        "--bench-epochs",
        metavar="N",
        type=_counted(0),
        default=0,
        help="Also train each cell for so many epochs, in a process of its own, for its test accuracy. Default: 0.",
    )
    group.addoption(
        "--bench-data", metavar="PATH", type=Path, help="An .npz or a folder of IDX files. Default: the embedded data."
    )
    group.addoption(
        "--bench-out",
        metavar="DIR",
        type=Path,
        default=Path("results"),
        help="Folder that the run folder with raw windows and logs is made in. Default: results.",
    )


def plan(config: pytest.Config) -> Plan:
    """Read options and machine; raises UsageError for what cannot be meant."""
    if config.getoption("--benchmark-cprofile"):
        raise UsageError("--benchmark-cprofile profiles no worker, and runs a window that is no round; leave it out")
    suite_name, cells = config.getoption("--bench-suite"), config.getoption("--bench-cell")
    if suite_name and cells:
        raise UsageError("give --bench-suite or --bench-cell, not both")
    axes = parse_overrides(config.getoption("--bench-set"), "--bench-set")
    _refuse_epochs("--bench-set", axes)
    environment = read_environment()
    machine, data = machine_of(environment), config.getoption("--bench-data")
    dataset = checked_data(data, "--bench-data")
    if cells:
        suite = Suite(name="perf", cells=[_cell(words) for words in cells])
    else:
        suite = load_suite(suite_name or DEFAULT_SUITE, "gpu" if machine.gpus else "cpu")
    images = len(dataset.train.labels)
    trials = plan_trials(suite, machine, overrides={**axes, "epochs": [0]}, train_images=images)
    require_tensorflow()
    names = names_of(trials)
    return Plan(
        cases={names[trial.trial_id]: Case(trial, WindowClock(trial.cell.global_batch)) for trial in trials},
        windows=max(config.getoption("--bench-windows"), config.getoption("--benchmark-min-rounds")),
        epochs=config.getoption("--bench-epochs"),
        data=data.resolve() if data else None,
        data_sha256=dataset.sha256,
        out=config.getoption("--bench-out"),
        environment=environment,
    )


def _cell(words: str) -> Settings:
    axes = parse_overrides(filter(None, words.split(",")), "--bench-cell")
    _refuse_epochs("--bench-cell", axes)
    return {axis: values[0] for axis, values in axes.items()}


def _refuse_epochs(option: str, axes: Iterable[str]) -> None:
    if "epochs" in axes:
        raise UsageError(f"{option} epochs: speed is timed over windows alone; for an accuracy give --bench-epochs")


class _counted:  # noqa: N801  # argparse tells its name
    """A whole number of at least so many."""

    def __init__(self, least: int):
        self._least = least

    def __call__(self, text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not self._least <= int(text[:10]) <= 1_000_000:
            raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from {self._least} to 1,000,000")
        return int(text)
