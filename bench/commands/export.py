"""`bench export` and `bench import`: a stored run in another program's format, and back."""

import sys
from importlib.util import find_spec
from pathlib import Path

from bench.errors import UsageError, did_you_mean
from bench.report.exports.benchmark_reader import read_pytest_benchmark
from bench.report.exports.formats import EXPORTS
from bench.store.runs import create_run, read_run


def export_run(run: Path, to: str, out: Path | None) -> int:
    """Write a run in the format `to`, into its report/ by default. Raises UsageError for bad input."""
    if to not in EXPORTS:
        near = did_you_mean(to, EXPORTS) or f"; give one of {', '.join(EXPORTS)}"
        raise UsageError(f"--to {to}: unknown{near}")
    wanted = EXPORTS[to]
    if wanted.needs and find_spec(wanted.needs) is None:
        told = f"add it with: {sys.executable} -m pip install {wanted.needs}"
        raise UsageError(f"--to {to}: {wanted.needs} is not installed here; {told}")
    stored = read_run(run)
    print(*stored.damage, sep="\n", end="\n" if stored.damage else "", file=sys.stderr)
    path = out or run / "report" / wanted.file_name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        wanted.write(stored, path)
    except OSError as error:
        raise UsageError(f"--out {path}: {error.strerror}; name a file that can be written") from None
    except (ValueError, OverflowError) as error:  # a figure of a hostile file that the format has no room for
        raise UsageError(f"{run}: holds what {to} cannot: {error}; export it to csv") from None
    print(f"Export: {path}")
    return 0


def import_run(source: Path, out: Path) -> int:
    """Make a run folder of a JSON file of pytest-benchmark. Raises UsageError for one that bench did not write."""
    found = read_pytest_benchmark(source)
    print(*found.damage, sep="\n", end="\n" if found.damage else "", file=sys.stderr)
    writer = create_run(out, found.run)
    for record in found.records:
        writer.append(record)
    print(f"Run: {writer.folder}, {len(found.records)} trials")
    return 0
