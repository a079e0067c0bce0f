"""Holds every claim of this product's measurement against a ground truth, on this machine.

It trains on CPUs, but for the run of `quick` in the full mode, which takes GPUs where there are any. The short mode is
meant for ten minutes; `--full` takes hours, waits while other load runs, and can be interrupted and started again: what
was found with the same code is kept. Both keep their findings below results/verification-short or -full and print a
table. Where a figure has a 95 % interval, a claim holds if that lies within the limit, fails if it lies outside, and is
`unsure` if it reaches over; a figure without one holds or fails by itself. Three are judged otherwise: the size of a
fault holds where it is at most 5 points off, and known to 5, as do the costs of a clean twin; the name of one where
both comparison and row give it; coverage where none is proven to be too low. Exit code 1 unless all hold.

    scripts/verify-measurement [--full [--publish]] [--fresh] [--only WORD]
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import ceilings
import fault_totals
import faults
import measurement
import speed
from engines import Extent
from outcomes import LOOKS, NOT_MEASURED, ROOT, Kept, Outcome, conclude, exit_with, heading, print_table
from publish import put_in
from quiet import disturbances, wait_until_quiet

from bench.measure.environment import read_environment
from bench.trial import Cell

FASTER = {16: 2.0, 32: 1.4, 200: 1.0, 800: 1.0}
"""By global batch, at least how many times as fast as `fit` the engine `fused` is claimed to be."""
FAULTS = {True: faults.planted({0.30: 20, 0.10: 3}), False: faults.planted({0.30: 3, 0.50: 3})}
"""In the full mode, and in the short one, whose few rounds cannot know small faults."""
FAULT_LOOKS = {True: (64, 128), False: (16,)}
SHORT_LOOKS, SHORT_PACED_LOOKS = (8,), (6,)
"""A cell that a sleep paces has hardly any noise."""
LONG_LOOKS, PROCESS_LOOKS, ROUND_LOOKS = (12, 24, 48, 96, 192, 384), (8, 16, 32), (64, 128, 256)
"""In the full mode, of what two busy cores show with the most noise: pairs, pairs of processes, and rounds."""
TRIALS = 10_000
Items = dict[str, Callable[[], list[Outcome]]]


def items_of(scratch: Path, folder: Path, *, full: bool) -> Items:
    """What is to be found, in order; names are those under which it is kept. Speeds of engines go to `folder`, too."""

    @cache
    def faulty_cell() -> Cell:
        """What faults are planted in; not looked for where no fault is left to find."""
        return faults.compute_bound_cell(scratch)

    def recognised(planted: Sequence[faults.Fault]) -> list[Outcome]:
        return faults.faults_are_recognised(scratch, faulty_cell(), planted, FAULT_LOOKS[full])

    cell = Cell(global_batch=64, epochs=0)
    items: Items = {
        "coverage": partial(speed.interval_covers, 1200 if full else 200),
        "windows compute": partial(
            measurement.windows_agree, scratch, LONG_LOOKS if full else SHORT_LOOKS, "none", cell, 0
        ),
        "windows input": partial(
            measurement.windows_agree, scratch, LOOKS if full else SHORT_PACED_LOOKS, "input", cell, 0.16
        ),
        "memory": partial(measurement.memory_is_seen, scratch),
        "settings": partial(measurement.settings_are_read_back, scratch),
        "time to accuracy": partial(measurement.time_to_accuracy_is_wall_clock, scratch),
        "disturbance": partial(measurement.disturbance_is_seen, scratch),
        "harness": partial(measurement.harness_is_cheap, scratch, 60 if full else 12),
    }
    if full:
        items["bare loop"] = partial(speed.harness_loses_nothing, scratch, PROCESS_LOOKS)
        items["waiting side"] = partial(speed.waiting_side_costs_nothing, scratch, ROUND_LOOKS)
    for batch, least in FASTER.items():
        if full or batch <= 200:
            extent, keep = (Extent(processes=6, rounds=6), folder) if full else (Extent(processes=1, rounds=8), None)
            items[f"engine {batch}"] = partial(speed.engine_is_fast, scratch, batch, least, extent, keep)
    if full:
        items["ceilings"] = partial(ceilings.ceilings_hold, scratch, 12)
    items["help"] = speed.help_is_quick
    items["report"] = partial(speed.report_is_quick, scratch, TRIALS)
    items["page"] = partial(speed.page_is_quick, scratch, TRIALS)
    if full:
        items["quick run"] = partial(speed.run_is_mostly_training, scratch)
        items["clean twins"] = lambda: faults.twins_are_alike(scratch, faulty_cell(), FAULT_LOOKS[full])
    # in the short mode a worker has all faults of its kind in turn, which saves starts and its clean windows
    kinds = [[fault for fault in FAULTS[False] if fault.kind == kind] for kind in faults.KINDS]
    groups = [[fault] for fault in FAULTS[True]] if full else kinds
    return items | {f"faults {number}": partial(recognised, group) for number, group in enumerate(groups, 1)}


def key_of_findings(environment: dict[str, Any]) -> str:
    """A hash of what the findings depend on: this code and its data, the machine, the libraries."""
    folders = [ROOT / folder for folder in ("bench", "mnist_cnn", "scripts")]
    suffixes = {".py", ".toml", ".npz"}
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in suffixes)
    where = f"{environment['exact_unit']} {environment['machine_class']}"
    return sha256(b"".join(path.read_bytes() for path in files) + where.encode()).hexdigest()[:16]


def _found(name: str, find: Callable[[], list[Outcome]], *, disturbed: bool) -> list[Outcome]:
    """What is found of one item, and what disturbed it; one that cannot be measured does not end the others."""
    told = disturbances()
    try:
        outcomes = find()
    except Exception as error:  # noqa: BLE001  # whatever it was is told on the row
        words = f"{NOT_MEASURED}: {type(error).__name__}: {error}".splitlines()[0][:200]
        return [Outcome(name, "", words, "0", "FAILS")]
    notes = ["other load before it"] * disturbed + told()
    return [replace(outcome, n="; ".join([outcome.n, *notes])) for outcome in outcomes]


def main() -> int:
    """Find what is not found yet, print all of it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--full", action="store_true", help="every claim, many repetitions: hours")
    parser.add_argument("--fresh", action="store_true", help="forget what was found before")
    parser.add_argument(
        "--only",
        default="",
        metavar="WORD",
        help="of what is missing only items whose name contains it",
    )
    parser.add_argument(
        "--publish", action="store_true", help="put the full mode's table into README and docs/trust.md"
    )
    options = parser.parse_args()
    if options.publish and (options.only or not options.full):
        parser.error("--publish: with --full, and the whole of it: the documents are of that")
    folder = ROOT / "results" / f"verification-{'full' if options.full else 'short'}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "outcomes.jsonl"
    if options.fresh or not (options.full or options.only):
        path.unlink(missing_ok=True)
    environment = read_environment()
    kept = Kept(path, key_of_findings(environment))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        items = items_of(Path(scratch), folder, full=options.full)
        every = len(items)
        items = {name: find for name, find in items.items() if options.only in name}
        if not items:
            parser.error(f"--only {options.only}: no such item")
        for number, (name, find) in enumerate(items.items(), 1):
            if name in kept.found:
                continue
            quiet = wait_until_quiet(3600 if options.full else 30)
            print(f"[{number}/{len(items)}] {name}, {time.monotonic() - began:.0f} s so far", flush=True)
            kept.keep(name, _found(name, find, disturbed=not quiet))
            for outcome in kept.found[name]:
                print(f"      {outcome.verdict}: {outcome.claim}: {outcome.measured} ({outcome.n})", flush=True)
    whole = len(items) == every
    found = [outcome for name in items for outcome in kept.found[name]]
    outcomes = [outcome for outcome in found if not fault_totals.is_of_one(outcome)]
    if each := [outcome for outcome in found if fault_totals.is_of_one(outcome)]:
        print_table(each, folder / "faults.md" if whole else None, heading(environment))
        outcomes += fault_totals.summed_up(FAULTS[options.full], each) if whole else each
    code = conclude(outcomes, folder, heading(environment), began, whole=whole)
    for name in ("README.md", "docs/trust.md") if options.publish else ():
        put_in(ROOT / name, "verify-measurement", (folder / "table.md").read_text(encoding="utf-8"))
    return code


if __name__ == "__main__":
    exit_with(main, "with --full the next start goes on from here")
