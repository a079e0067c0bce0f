"""What was found of each claim: kept as it is found, so that a long verification can be resumed; printed as a table."""

import json
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

from rich import box
from rich.console import Console
from rich.table import Table

from bench.measure.paired import Centre, centre_of
from bench.store.runs import append_line

Verdict = Literal["holds", "FAILS", "unsure"]
NOT_MEASURED = "not measured"
ROOT = Path(__file__).parents[2]
LOOKS = (12, 24, 48)
"""Values after which it is asked whether they tell enough; each look may err with its share of 5 %."""


@dataclass(frozen=True)
class Outcome:
    """One claim held against its ground truth; `n` is what the measured figure was taken from.

    `value` is that figure where others like it are to be summed up.
    """

    claim: str
    truth: str
    measured: str
    n: str
    verdict: Verdict
    value: float | None = None


def verdict_of(holds: bool) -> Verdict:
    """Of a figure that has no interval."""
    return "holds" if holds else "FAILS"


def within(centre: Centre, low: float, high: float = math.inf) -> Verdict:
    """Whether a figure lies between two limits, by its interval; unsure where that reaches over one of them."""
    if low <= centre.low and centre.high <= high:
        return "holds"
    return "FAILS" if centre.high < low or centre.low > high else "unsure"


def small(error: Centre, most: float) -> Verdict:
    """Whether an error is at most so large as estimated, and known to as much; fails where its interval is beyond."""
    if error.low > most or -error.high > most:
        return "FAILS"
    return "holds" if abs(error.value) <= most and error.half_width <= most else "unsure"


def shown(centre: Centre, digits: int = 2) -> str:
    """A figure with its interval."""
    return f"{centre.value:.{digits}f} ({centre.low:.{digits}f}–{centre.high:.{digits}f})"


def until_known(
    take: Callable[[], float], judge: Callable[[Centre], Verdict], looks: Sequence[int] = LOOKS
) -> tuple[Centre, int]:
    """Take values until, at a look, the judgement is no longer unsure, or the last look; their centre and number."""
    values: list[float] = []
    for look in looks:
        values += [take() for _ in range(look - len(values))]
        centre = centre_of(values, 0.05 / len(looks))
        assert centre is not None, "a look has enough values"
        if judge(centre) != "unsure":
            break
    return centre, len(values)


class Kept:
    """Outcomes in a file, a JSON line each under the name of its item; those of another key are passed over."""

    def __init__(self, path: Path, key: str):
        self._path, self._key = path, key
        self.found: dict[str, list[Outcome]] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                entry = json.loads(line)
                if entry["key"] == key:
                    outcomes = [Outcome(**outcome) for outcome in entry["outcomes"]]
                    self.found.setdefault(entry["item"], outcomes)  # the first: trying until it holds proves nothing
            except (ValueError, KeyError, TypeError):
                continue  # a line that a crash tore is measured again

    def keep(self, item: str, outcomes: Sequence[Outcome]) -> None:
        """Add what was found of one item; it is on the disk when this returns."""
        self.found[item] = list(outcomes)
        if any(outcome.measured.startswith(NOT_MEASURED) for outcome in outcomes):
            return  # only what could not be measured is tried again: trying until it holds would prove nothing
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = {"item": item, "utc": now, "key": self._key, "outcomes": [asdict(outcome) for outcome in outcomes]}
        append_line(self._path, json.dumps(entry))


def counted(outcomes: Sequence[Outcome]) -> str:
    """The table in a sentence: how many claims came out how."""
    counts = Counter(outcome.verdict for outcome in outcomes)
    words = [f"{counts[verdict]} {verdict}" for verdict in get_args(Verdict) if counts[verdict]]
    return f"Of {len(outcomes)} claim{'s' * (len(outcomes) != 1)}: {', '.join(words)}"


def heading(environment: dict[str, Any]) -> str:
    """When and where, to stand above a table."""
    machine = environment["machine_class"]
    commit = f"commit {str(environment['git_commit'])[:7]}{' with changes' * bool(environment['git_dirty'])}"
    return f"{datetime.now(UTC):%Y-%m-%d}, {commit}, on {environment['usable_cpus']} × {machine['cpu_model']}."


def conclude(outcomes: Sequence[Outcome], folder: Path, words: str, began_s: float, *, whole: bool) -> int:
    """Print the table, keep it where the whole was taken, say how it went; the exit code, 0 if all claims hold."""
    print_table(outcomes, folder / "table.md" if whole else None, f"{words} {counted(outcomes)}.")
    print(f"{counted(outcomes)}\n{time.monotonic() - began_s:.0f} s; kept in {folder.relative_to(ROOT)}")
    return int(any(outcome.verdict != "holds" for outcome in outcomes))


def exit_with(main: Callable[[], int], hint: str = "") -> NoReturn:
    """Exit with what `main` returns; an interrupt is a line with a `hint`, and 130."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print(f"\ninterrupted{hint and '; '}{hint}", file=sys.stderr)
        sys.exit(130)


def print_table(outcomes: Sequence[Outcome], markdown: Path | None, heading: str = "") -> None:
    """Print the table, and write it as Markdown under a heading where it is whole."""
    headers = ["claim", "ground truth", "measured", "n", "verdict"]
    lines = [[o.claim, o.truth, o.measured, o.n, o.verdict] for o in outcomes]
    table = Table(*headers, box=box.SIMPLE_HEAD)
    for line in lines:
        table.add_row(*line)
    console = Console()
    (console if console.is_terminal else Console(width=150)).print(table)
    rows = [headers, ["---"] * len(headers), *lines]
    if markdown is not None:
        lines = [f"| {' | '.join(row)} |\n" for row in rows]
        markdown.write_text(f"{heading}\n\n{''.join(lines)}".lstrip(), encoding="utf-8")
