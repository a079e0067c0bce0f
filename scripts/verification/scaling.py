"""Holds the scaling of two workers, and its forecast over slower networks, against what this machine does.

Three parts, of workers of one CPU each:

`forecast`: at each delay one worker, and two whose messages pass a relay that is so late in each direction, in trials
of their own. What is forecast from one worker, from computing without all-reduces and from all-reduces alone is held
against the step of two, and so is the guess that two scale ideally. The delays are gone through forwards and backwards.
`ring`: the all-reduce of three and four workers, from that of two, over the relay.
`neighbours`: live workers in turn: one alone, two beside each other that know nothing of each other, and two that train
together. What the second reach is what this machine leaves of two, whatever trains on it.

    scripts/verify-scaling [--full] [--only PART] [--delays 0,1,5,20] [--batch 64]

About twelve minutes, alone on the machine; with --full more repeats and forecasts of both engines, half an hour.
Findings, and the records that they were made from, go to results/verification-scaling. Exit code 1 unless all hold.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from delays import take_delays, take_ring
from neighbours import take_neighbours
from outcomes import NOT_MEASURED, ROOT, Outcome, conclude, exit_with, heading
from quiet import disturbances, wait_until_quiet

from bench.measure.environment import read_environment

if TYPE_CHECKING:
    from mnist_cnn.settings import Engine

FOLDER = ROOT / "results" / "verification-scaling"
RING_DELAY_S = 0.02
NEIGHBOURS_BATCH = 200
"""As the suite `scaling` has it."""
Parts = dict[str, Callable[[], list[Outcome]]]


def parts_of(scratch: Path, folder: Path, delays_s: list[float], batch: int, *, full: bool) -> Parts:
    """What is to be found, in order."""
    engines: tuple[Engine, ...] = ("step", "fused")
    repeats, rounds = (5, 24) if full else (2, 12)
    parts: Parts = {}
    for engine in engines:
        parts[f"neighbours {engine}"] = partial(take_neighbours, scratch, NEIGHBOURS_BATCH, engine, rounds)
        if full or engine == "step":
            parts[f"forecast {engine}"] = partial(take_delays, folder, delays_s, repeats, batch, engine)
    parts["ring"] = partial(take_ring, folder, RING_DELAY_S)
    return parts


def found(name: str, find: Callable[[], list[Outcome]]) -> list[Outcome]:
    """What is found of one part, and what disturbed it; one that cannot be measured does not end the others."""
    told = disturbances()
    try:
        outcomes = find()
    except Exception as error:  # noqa: BLE001  # whatever it was is told on the row
        words = f"{NOT_MEASURED}: {type(error).__name__}: {error}".splitlines()[0][:200]
        return [Outcome(name, "", words, "0", "FAILS")]
    return [replace(outcome, n="; ".join([outcome.n, *told()])) for outcome in outcomes]


def delays_of(words: str) -> list[float]:
    """Seconds from milliseconds such as `0,1,5,20`."""
    try:
        delays_s = [float(word) / 1e3 for word in words.split(",")]
    except ValueError:
        delays_s = [-1.0]
    if not all(0 <= delay_s <= 1 for delay_s in delays_s):
        raise argparse.ArgumentTypeError(f"{words}: give milliseconds from 0 to 1000, such as 0,1,5,20")
    return list(dict.fromkeys(delays_s))


def main() -> int:
    """Find all parts, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--full", action="store_true", help="more repeats, forecasts of both engines: half an hour")
    parser.add_argument("--only", default="", metavar="PART", help="only the parts whose name contains it")
    parser.add_argument("--delays", type=delays_of, default="0,1,5,20", metavar="MS", help="of each message, in ms")
    parser.add_argument("--batch", type=int, default=64, help="of each worker where delays are forecast")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    began, environment = time.monotonic(), read_environment()
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as scratch:
        every = parts_of(Path(scratch), FOLDER, options.delays, options.batch, full=options.full)
        parts = {name: find for name, find in every.items() if options.only in name}
        if not parts:
            parser.error(f"--only {options.only}: no such part; there are {', '.join(every)}")
        if len(parts) == len(every):
            (FOLDER / "records.jsonl").unlink(missing_ok=True)
        for number, (name, find) in enumerate(parts.items(), 1):
            wait_until_quiet(60)
            print(f"[{number}/{len(parts)}] {name}, {time.monotonic() - began:.0f} s so far", flush=True)
            outcomes += found(name, find)
    return conclude(outcomes, FOLDER, heading(environment), began, whole=len(parts) == len(every))


if __name__ == "__main__":
    exit_with(main)
