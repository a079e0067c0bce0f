"""Histories and machines of made-up figures, and the browser that the pages of single runs are opened in."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.bench.guard.stored.conftest import machine, stored, trials
from tests.bench.report.page.conftest import chromium, opened

__all__ = ["chromium", "opened", "stored"]
BEGAN = datetime(2026, 1, 1, 6, tzinfo=UTC)


@pytest.fixture
def past(stored: Callable[..., Path]) -> Callable[..., list[Path]]:
    """Writes a run a day, with noise of 1 %; `levels` are the images/s of each in turn, `rest` changes all of them.

    `named` makes the name of a folder from the number of its run, `environment` changes of its machine.
    """

    def write(
        levels: Sequence[float],
        *,
        named: Callable[[int], str] = "run-{:03}".format,
        environment: Callable[[int], dict[str, Any]] = lambda _: {},
        cell: dict[str, Any] | None = None,
        seed: int = 4,
        peak_host_memory_bytes: int | None = None,
        **rest: Any,
    ) -> list[Path]:
        noise = np.random.default_rng(seed).normal(0, 0.01, len(levels))
        return [
            stored(
                named(number),
                trials(
                    float(level * np.exp(noise[number])),
                    cell=cell,
                    accuracies=[0.98],
                    peak_host_memory_bytes=peak_host_memory_bytes,
                ),
                environment=machine(**environment(number)),
                **{"created_utc": (BEGAN + timedelta(days=number)).isoformat()} | rest,
            )
            for number, level in enumerate(levels)
        ]

    return write
