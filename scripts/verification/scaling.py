"""Holds the scaling of two workers, and its forecast over slower networks, against what this machine does.

Four parts, of workers of one CPU each, which only those of rings share where there are fewer:

`forecast`: at each delay one live worker, and two whose messages pass a relay that is so late in each direction. Within
each round what is forecast from one, from computing without all-reduces and from all-reduces alone is held against the
step of two, and so is the guess that two scale ideally.
`network`: messages that are 20 ms late are a fault whose name and size a diagnosis is to tell, beside two without it.
`ring`: the all-reduce of three and four workers, from that of two, over the relay.
`neighbours`: live workers in turn: one alone, two beside each other that know nothing of each other, and two that train
together. The second are also taken step by step, each of which waits for the one that is later: what they reach then is
what this machine leaves of two that train as one, however they tell each other their gradients. Beside `fused` a bare
loop, which has nothing of this product, is trained by two as well.

    scripts/verify-scaling [--full] [--only PART] [--delays 0,1,5,20] [--batch 64]

Rounds go on until a claim is known to hold or to fail, to the last look. Ten to twenty minutes, alone on the machine;
with --full more rounds and forecasts of both engines, which takes longer by far.
Findings, and the records of forecasts and rings, go to results/verification-scaling. Exit code 1 unless all hold.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from delays import take_delay
from neighbours import take_neighbours
from network import network_is_recognised
from outcomes import LOOKS, NOT_MEASURED, ROOT, Outcome, conclude, exit_with, heading
from quiet import disturbances, wait_until_quiet
from ring import take_ring

from bench.measure.environment import read_environment

if TYPE_CHECKING:
    from mnist_cnn.settings import Engine

FOLDER = ROOT / "results" / "verification-scaling"
LONG_DELAY_S = 0.02
SHORT_LOOKS = (12, 24)
NEIGHBOURS_BATCH = 200
"""As the suite `scaling` has it."""
Parts = dict[str, Callable[[], list[Outcome]]]


def parts_of(scratch: Path, folder: Path, delays_s: list[float], batch: int, *, full: bool) -> Parts:
    """What is to be found, in order."""
    engines: tuple[Engine, ...] = ("step", "fused")
    looks = LOOKS if full else SHORT_LOOKS
    parts: Parts = {}
    for engine in engines:
        parts[f"neighbours {engine}"] = partial(take_neighbours, scratch, NEIGHBOURS_BATCH, engine, looks)
        if full or engine == "step":
            for delay_s in delays_s:
                name = f"forecast {engine} {1e3 * delay_s:g} ms"
                parts[name] = partial(take_delay, scratch, folder, delay_s, looks, batch, engine)
    parts["network"] = partial(network_is_recognised, scratch, LONG_DELAY_S, batch, looks)
    parts["ring"] = partial(take_ring, scratch, folder, LONG_DELAY_S, looks)
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
    parser.add_argument("--full", action="store_true", help="more rounds, forecasts of both engines: far longer")
    parser.add_argument("--only", default="", metavar="PART", help="only the parts whose name contains it")
    parser.add_argument("--delays", type=delays_of, default="0,1,5,20", metavar="MS", help="of each message, in ms")
    parser.add_argument("--batch", type=int, default=64, help="of each worker where messages are late")
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
