"""The formats that a stored run can be written in, by the name that `bench export --to` takes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.report.exports.bmf import write_bmf
from bench.report.exports.junit import write_junit
from bench.report.exports.parquet import write_parquet
from bench.report.exports.pytest_benchmark import write_pytest_benchmark
from bench.report.exports.tensorboard import write_tensorboard
from bench.report.rows import stored_rows
from bench.report.sheet import write_csv
from bench.store.runs import StoredRun, replacing


@dataclass(frozen=True)
class Format:
    """What it is called in the run's report/, what writes it to a path, and the package of the extra that it needs."""

    file_name: str
    write: Callable[[StoredRun, Path], None]
    needs: str | None = None


def _write_csv(stored: StoredRun, path: Path) -> None:
    with replacing(path) as beside:
        write_csv(beside, stored_rows(stored))


EXPORTS = {
    "bmf": Format("bmf.json", write_bmf),
    "csv": Format("trials.csv", _write_csv),
    "junit": Format("junit.xml", write_junit),
    "parquet": Format("trials.parquet", write_parquet, needs="pyarrow"),
    "pytest-benchmark": Format("pytest-benchmark.json", write_pytest_benchmark),
    "tensorboard": Format("tensorboard", write_tensorboard, needs="tensorboardX"),
}
