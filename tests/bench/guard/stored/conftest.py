"""Small stored runs of made-up figures, on one machine unless told otherwise."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.store.baselines import CellFigures, RunFigures
from bench.store.record import TrialRecord
from bench.store.runs import RunWriter
from bench.trial import Cell
from tests.bench.report.conftest import record, run, windows

UNIT, CODE, DATA = "6a12a98c2b3187f3", "c0de" * 16, "da7a" * 16
ENVIRONMENT: dict[str, Any] = {
    "host": "here",
    "cpu_model": "AMD EPYC",
    "usable_cpus": 2,
    "gpus": [],
    "packages": {"tensorflow-cpu": "2.21.0"},
    "variables": {},
    "exact_unit": UNIT,
    "code_sha256": CODE,
}
WOBBLE = (0.998, 1.002, 1.0, 1.001, 0.999)
"""Factors of five runs that differ by little: their logarithms have a standard deviation of 0.16 %."""


def trials(
    throughput: float, count: int = 1, cell: dict[str, Any] | None = None, many: int = 16, **rest: Any
) -> list[TrialRecord]:
    """Trials of one cell at a batch of 200: a first step of a second, and windows that alternate a little."""
    step_s = [200 / throughput * (1 + 0.004 * (-1) ** place) for place in range(many)]
    timed = {"step_s": step_s, "windows": windows(step_s, first_step_s=1.0)}
    return [record(cell, repeat=repeat, **timed | rest) for repeat in range(count)]


def machine(**rest: Any) -> dict[str, Any]:
    """The environment of a run, with changes."""
    return ENVIRONMENT | rest


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run folder of some trials; `rest` are fields of run.json."""

    def write(name: str, records: Sequence[TrialRecord], **rest: Any) -> Path:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        writer = RunWriter(folder)
        writer.write_run(run(records, **{"environment": machine(), "data_sha256": DATA} | rest))
        for one in records:
            writer.append(one)
        return folder

    return write


@pytest.fixture
def five(stored: Callable[..., Path]) -> Callable[..., list[Path]]:
    """Writes five runs of different days that differ by little; `rest` changes their environment."""

    def write(**rest: Any) -> list[Path]:
        return [
            stored(
                f"run-{number}",
                trials(1000 * factor, many=64),
                environment=machine(**rest),
                created_utc=f"2026-01-0{number + 1}",
            )
            for number, factor in enumerate(WOBBLE)
        ]

    return write


def cell_figures(throughput: float | None = 1000.0, cell: dict[str, Any] | None = None, **rest: Any) -> CellFigures:
    """What a run found of a cell, over one process."""
    filled: dict[str, Any] = {"status": "ok", "processes": 1, "throughput_images_per_s": throughput}
    return CellFigures(cell=Cell(**(cell or {})), **filled | rest)


def figures(number: int, *cells: CellFigures, **rest: Any) -> RunFigures:
    """A run in short, the `number`-th of its days."""
    filled: dict[str, Any] = {
        "run_id": f"{number:016x}",
        "name": f"run-{number}",
        "exact_unit": UNIT,
        "created_utc": f"2026-01-{1 + number:02}T00:00:00+00:00",
        "suite": "star",
        "machine": "AMD EPYC, 2 CPUs",
        "code_sha256": CODE,
        "data_sha256": DATA,
        "cells": list(cells),
    }
    return RunFigures(**filled | rest)


def baseline(throughput: float = 1000.0, **rest: Any) -> list[RunFigures]:
    """Five runs of one cell that differ by little."""
    return [figures(number, cell_figures(throughput * factor, **rest)) for number, factor in enumerate(WOBBLE)]
