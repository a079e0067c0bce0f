"""What was found of each claim: kept as it is found, so that a long verification can be resumed; printed as a table."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table

from bench.measure.paired import Centre

Verdict = Literal["holds", "FAILS", "unsure"]


@dataclass(frozen=True)
class Outcome:
    """One claim held against its ground truth; `n` is what the measured figure was taken from."""

    claim: str
    truth: str
    measured: str
    n: str
    verdict: Verdict


def verdict_of(holds: bool) -> Verdict:
    """Of a figure that has no interval."""
    return "holds" if holds else "FAILS"


def within(centre: Centre, low: float, high: float = math.inf) -> Verdict:
    """Whether a figure lies between two limits, by its interval; unsure where that reaches over one of them."""
    if low <= centre.low and centre.high <= high:
        return "holds"
    return "FAILS" if centre.high < low or centre.low > high else "unsure"


def near(centre: Centre, truth: float, distance: float) -> Verdict:
    """Whether a figure is as near the truth as claimed, and known as well as that; unsure where it is not."""
    if centre.low - truth > distance or truth - centre.high > distance:
        return "FAILS"
    close = abs(centre.value - truth) <= distance
    return "holds" if close and centre.half_width <= distance else "unsure"


class Kept:
    """Outcomes in a file, a JSON line each under the name of its item; those of another key are passed over."""

    def __init__(self, path: Path, key: str):
        self._path, self._key = path, key
        self.found: dict[str, list[Outcome]] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                entry = json.loads(line)
                if entry["key"] == key:
                    self.found[entry["item"]] = [Outcome(**outcome) for outcome in entry["outcomes"]]
            except (ValueError, KeyError, TypeError):
                continue  # a line that a crash tore is measured again

    def keep(self, item: str, outcomes: Sequence[Outcome]) -> None:
        """Add what was found of one item; it is on the disk when this returns."""
        self.found[item] = list(outcomes)
        if any(outcome.verdict != "holds" for outcome in outcomes):
            return  # the next start tries again: noise may have decided
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = {"item": item, "utc": now, "key": self._key, "outcomes": [asdict(outcome) for outcome in outcomes]}
        with self._path.open("a", encoding="utf-8") as stream:
            print(json.dumps(entry), file=stream, flush=True)
            os.fsync(stream.fileno())


def print_table(outcomes: Sequence[Outcome], markdown: Path | None) -> None:
    """Print the table, and write it as Markdown where it is whole."""
    headers = ["claim", "ground truth", "measured", "n", "verdict"]
    lines = [[o.claim, o.truth, o.measured, o.n, o.verdict] for o in outcomes]
    table = Table(*headers, box=box.SIMPLE_HEAD)
    for line in lines:
        table.add_row(*line)
    console = Console()
    (console if console.is_terminal else Console(width=150)).print(table)
    rows = [headers, ["---"] * len(headers), *lines]
    if markdown is not None:
        markdown.write_text("".join(f"| {' | '.join(row)} |\n" for row in rows), encoding="utf-8")
