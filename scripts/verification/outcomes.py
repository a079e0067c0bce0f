"""What was found of each claim: kept as it is found, so that a long verification can be resumed; printed as a table."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Outcome:
    """One claim held against its ground truth; `n` is what the measured figure was taken from."""

    claim: str
    truth: str
    measured: str
    n: str
    holds: bool


class Kept:
    """Outcomes in a file, a JSON line each under the name of its item; those of other code are forgotten."""

    def __init__(self, path: Path, code: str):
        self._path, self._code = path, code
        self.found: dict[str, list[Outcome]] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                entry = json.loads(line)
                if entry["code"] == code:
                    self.found[entry["item"]] = [Outcome(**outcome) for outcome in entry["outcomes"]]
            except (ValueError, KeyError, TypeError):
                continue  # a line that a crash tore is measured again

    def keep(self, item: str, outcomes: Sequence[Outcome]) -> None:
        """Add what was found of one item; it is on the disk when this returns."""
        self.found[item] = list(outcomes)
        entry = {"item": item, "code": self._code, "outcomes": [asdict(outcome) for outcome in outcomes]}
        with self._path.open("a", encoding="utf-8") as stream:
            print(json.dumps(entry), file=stream, flush=True)
            os.fsync(stream.fileno())


def print_table(outcomes: Sequence[Outcome], markdown: Path) -> None:
    """Print the table, and write it as Markdown too."""
    headers = ["claim", "ground truth", "measured", "n", "verdict"]
    lines = [[o.claim, o.truth, o.measured, o.n, "holds" if o.holds else "FAILS"] for o in outcomes]
    table = Table(*headers, box=box.SIMPLE_HEAD)
    for line in lines:
        table.add_row(*line)
    console = Console()
    (console if console.is_terminal else Console(width=150)).print(table)
    rows = [headers, ["---"] * len(headers), *lines]
    markdown.write_text("".join(f"| {' | '.join(row)} |\n" for row in rows), encoding="utf-8")
