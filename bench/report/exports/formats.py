"""The formats that a stored run can be written in, by the name that `bench export --to` takes."""

from collections.abc import Callable
from pathlib import Path

from bench.report.exports.pytest_benchmark import write_pytest_benchmark
from bench.store.runs import StoredRun

EXPORTS: dict[str, tuple[str, Callable[[StoredRun, Path], None]]] = {
    "pytest-benchmark": ("pytest-benchmark.json", write_pytest_benchmark),
}
"""Of each: the file's name in the run's report/, and what writes it to a path."""
