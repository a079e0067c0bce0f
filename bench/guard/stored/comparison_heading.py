"""What stands above a comparison: the runs, what may be concluded from them, and what differs between them."""

from collections.abc import Sequence

from bench.guard.stored.compare import Compared
from bench.guard.stored.differences import Difference, Differences
from bench.guard.stored.machines import machine_words, same_unit, text_of
from bench.report.text import printable, shorten


def run_lines(runs: Sequence[Compared]) -> list[str]:
    """A line for each run: its letter, folder, time, host and machine."""
    return [_run_line(run) for run in runs]


def _run_line(run: Compared) -> str:
    stored, environment = run.stored.run, run.stored.run.environment
    price = f", {run.price_per_h:g} an hour" if run.price_per_h else ""
    where = f"{text_of(environment, 'host') or 'unknown host'}: {machine_words(environment)}"
    return f"{run.letter}  {shorten(run.name, 100)}, begun {printable(stored.created_utc)[:16]}, on {where}{price}"


def standing(runs: Sequence[Compared]) -> str:
    """What may be concluded from these runs at all."""
    if same_unit([run.stored.run.environment for run in runs]):
        return "All ran on the same exact unit. Whether one is a change takes 5 runs or more before it: --verdict."
    return "They did not all run on one exact unit, or it is not known: this describes, and judges nothing."


def difference_lines(found: Differences, letters: Sequence[str]) -> list[str]:
    """A line for each fact that differs, with the runs of each value, and one for those that not every run tells."""
    lines = [f"{one.what}: {_by_value(one, letters)}" for one in found.found]
    lines += [f"and {found.more} more"] * bool(found.more)
    lines += [f"not recorded by all: {', '.join(found.untold)}"] * bool(found.untold)
    return lines or ["nothing that is recorded"]


def _by_value(one: Difference, letters: Sequence[str]) -> str:
    """Each value once, behind the runs that have it."""
    having: dict[str, list[str]] = {}
    for letter, value in zip(letters, one.values, strict=True):
        having.setdefault(value, []).append(letter)
    return "; ".join(f"{', '.join(runs)} {value}" for value, runs in having.items())
