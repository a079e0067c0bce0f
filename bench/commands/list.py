"""`bench list`: the stored runs, the newest first."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.display import result_console, say
from bench.errors import UsageError, one_line
from bench.guard.stored.machines import machine_words, text_of
from bench.report.overview import Listed, listed
from bench.report.text import printable, shorten, significant
from bench.store.runs import runs_below

_HEADERS = ("begun", "host", "suite", "machine", "trials", "highest images/s, of one run", "folder")
_LONGEST = 40


def list_runs(folders: Sequence[Path], *, as_json: bool) -> int:
    """Print a line for each run in the folders, or all as one JSON list. Raises UsageError for what is no folder."""
    found = sorted(map(listed, _runs(folders)), key=_begun, reverse=True)
    if as_json:
        print(json.dumps([_facts(one) for one in found], indent=1))
        return 0
    console = result_console()
    if not found:
        say(console, f"No runs in {', '.join(map(str, folders))}; make one with: bench run")
        return 0
    say(console, *_aligned([_HEADERS, *map(_words, found)]))
    say(console, *(f"damaged: {one_line(fault)}" for one in found for fault in one.damage))
    return 0


def _runs(folders: Iterable[Path]) -> list[Path]:
    """The runs in the folders, or that the folders are, each once."""
    runs: dict[Path, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder}: no such folder; name one that runs were made in, such as results")
        inside = [folder] if (folder / "run.json").is_file() else runs_below(folder)
        runs |= {run.resolve(): run for run in inside}
    return list(runs.values())


def _begun(one: Listed) -> tuple[str, str]:
    """By which runs are sorted; of one that cannot be read it is not known."""
    return (one.run.created_utc if one.run else "", one.folder.name)


def _words(one: Listed) -> tuple[str, ...]:
    if one.run is None:
        return ("", "", "", "", "damaged", "", printable(str(one.folder)))
    environment = one.run.environment
    highest = one.highest
    return (
        printable(one.run.created_utc)[:16].replace("T", " "),
        text_of(environment, "host") or "",
        shorten(one.run.suite, _LONGEST),
        shorten(machine_words(environment), _LONGEST),
        _trials(one),
        f"{highest.cell.label}: {significant(highest.throughput_images_per_s)}" if highest else "",
        printable(str(one.folder)),
    )


def _trials(one: Listed) -> str:
    """Those that went well, then the others by status, of how many."""
    counted = [f"{count} {status}" for status, count in sorted(one.statuses.items(), key=lambda item: item[0] != "ok")]
    unreadable = [f"{len(one.damage)} unreadable"] * bool(one.damage)
    return f"{', '.join([*counted, *unreadable]) or 'none'} of {one.planned}"


def _aligned(lines: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _facts(one: Listed) -> dict[str, Any]:
    """A run for programs; None is what is not known."""
    run, highest = one.run, one.highest
    return {
        "folder": str(one.folder),
        "created_utc": run.created_utc if run else None,
        "host": text_of(run.environment, "host") if run else None,
        "suite": run.suite if run else None,
        "machine": machine_words(run.environment) if run else None,
        "planned": one.planned if run else None,
        "statuses": dict(one.statuses),
        "highest_cell": highest.cell.label if highest else None,
        "highest_images_per_s": highest.throughput_images_per_s if highest else None,
        "damage": list(one.damage),
    }
