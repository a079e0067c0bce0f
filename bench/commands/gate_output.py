"""What a gate leaves for CI: files in its folder, the summary of a workflow's step, annotations."""

import os
from collections.abc import Sequence
from pathlib import Path

from bench.display import warn
from bench.store.runs import write_atomically

_MOST_SUMMARY_BYTES = 1_000_000
"""GitHub takes 1 MiB of summary from a step, and drops all of it beyond."""


def publish(folder: Path, *, facts: str, summary: str, junit: str, annotations: Sequence[str]) -> None:
    """Write guard.json, guard.md and junit.xml into `folder`; within a workflow also sum up its step, and annotate."""
    write_atomically(folder / "guard.json", facts)
    write_atomically(folder / "guard.md", summary)
    write_atomically(folder / "junit.xml", junit)
    _summarise_step(summary)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in annotations:
            print(line)


def _summarise_step(text: str) -> None:
    """Add to the summary of a workflow's step, where there is one; that it cannot be written changes no verdict."""
    if step := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(step).open("ab") as stream:
                stream.write(text.encode()[:_MOST_SUMMARY_BYTES])
        except OSError as error:
            warn([f"GITHUB_STEP_SUMMARY {step}: {error.strerror}"])
