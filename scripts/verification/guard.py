"""Does the guard find what was planted, and nothing else? Live verdicts on this machine, kept and judged.

The short mode takes 3 verdicts on identical code, 3 on 5 % of extra compute a step, and one on a leak of 50 MiB: a
spot check. `--full` takes hours: at least 20 of each, further sizes, an input-bound cell, accuracy, a busy CPU beside
it; run it with nothing else on the machine. It waits while other load runs, and can be interrupted and started again,
on another machine too: verdicts of the same code are kept. Both keep a JSON line for each verdict below
results/verification-guard-short or -full: every pair's figures, every window's rate. From these the rules of other
tools, and candidates for ours, are judged too; what is drawn from them at random is labelled a model. Exit code 1 if a
claim fails; few verdicts leave some unsure.

    scripts/verify-guard [--full] [--fresh] [--only WORD] [--hours H] [--report] [--publish] [--made-up PERCENT]
"""

import argparse
import math
import random
import tempfile
import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import report
from modes import BESIDE_A_HOG, FULL, SHORT, Mode
from outcomes import ROOT, exit_with
from planted import DOSE, compute
from planting import Planting
from publish import put_in
from quiet import disturbances, wait_until_quiet
from traces import Lines, Measured, Taken, Trace, first_of, in_a_line, read

from bench.execute.scheduler import Interrupted
from bench.measure.environment import read_environment

CALIBRATION = "calibration"
MEASURING = ("bench/execute", "bench/guard/live", "bench/measure", "bench/worker", "mnist_cnn")
"""What a verdict comes from: a change of reports or commands takes none of them back."""
CLAIMED = ("identical", "compute 0.05")
"""Kinds that shares are claimed of are taken first, then one of each other kind, then further ones."""
LIBRARIES = ("tensorflow", "keras", "numpy")
NOT_RUN = {
    *("attendance.py", "inquest.py", "merging.py", "ranks.py", "reach.py", "survey.py"),
    *("ceilings.py", "outputs.py"),
}
"""In these folders, and run by no verdict here: sessions of several workers or hosts, ceilings, and what `bench guard`
writes."""


def items_of(planting: Planting, found: dict[str, Taken]) -> dict[str, Callable[[], Taken]]:
    """All that is to be taken, by the name under which it is kept: the calibration first, the rest shuffled."""
    mode = planting.mode

    def calibrated() -> Measured:
        known = found[CALIBRATION]
        assert isinstance(known, Measured)
        return known

    def effect(item: str, share: float) -> Measured:
        return planting.measure(item, planting.edit_of(share, calibrated()) if share else None, mode.sized)

    def verdict(item: str, kind: str, size: float) -> Trace:
        return planting.take(item, kind, size, calibrated())

    items: dict[str, Callable[[], Taken]] = {}
    for (kind, size), count in mode.verdicts.items():
        names = [f"{kind} {size:g} {number}" for number in range(1, count + 1)]
        items |= {name: partial(verdict, name, kind, size) for name in names}
        if mode.sized and kind in {"compute", "identical"}:
            effect_of = f"effect {size:g}"
            items[effect_of] = partial(effect, effect_of, size)
    order = list(items)
    random.Random(0).shuffle(order)  # noqa: S311  # an order, not a secret
    order.sort(key=lambda name: (not name.startswith(CLAIMED), not name.endswith(" 1")))
    first = partial(planting.measure, CALIBRATION, compute(DOSE), mode.calibrations)
    return {CALIBRATION: first, **{name: items[name] for name in order}}


def key_of(environment: dict[str, Any]) -> str:
    """A hash of what a verdict depends on, but for the machine: what measures, workload, what is planted, libraries."""
    files = [path for folder in MEASURING for path in (ROOT / folder).rglob("*.py")]
    files = [path for path in files if path.name not in NOT_RUN]
    files += [Path(__file__).with_name(f"{name}.py") for name in ("effects", "modes", "planted", "planting", "traces")]
    libraries = sorted(item for item in environment["packages"].items() if item[0].startswith(LIBRARIES))
    return sha256(b"".join(path.read_bytes() for path in sorted(files)) + repr(libraries).encode()).hexdigest()[:16]


def machine_of(environment: dict[str, Any]) -> str:
    """The kind of machine, in words: what is planted costs the same on all of a kind."""
    return f"{environment['usable_cpus']} × {environment['machine_class']['cpu_model']}"


def take_all(mode: Mode, lines: Lines, only: str, hours: float, environment: dict[str, Any]) -> int:
    """Take what is not kept yet, of `only` where told, beginning none after so many hours; returns how many failed."""
    failed, began = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-guard-") as scratch:
        planting = Planting(Path(scratch), mode, environment)
        items = items_of(planting, lines.found)
        for number, (item, find) in enumerate(items.items(), 1):
            wanted = only in item or item == CALIBRATION
            if not wanted or item in lines.found:
                continue
            if time.monotonic() - began > 3600 * hours:
                print(f"{hours:g} hours are over; the next start goes on from here", flush=True)
                break
            quiet = wait_until_quiet(mode.patience_s)
            print(f"[{number}/{len(items)}] {item}, {time.monotonic() - began:.0f} s so far", flush=True)
            if quiet or not mode.must_be_quiet:
                failed += _kept(item, find, lines, quiet=quiet)
            else:
                print("      not taken: the machine is not quiet; left for the next start", flush=True)
                failed += 1
            if item == CALIBRATION and CALIBRATION not in lines.found:
                break
    return failed


def _kept(item: str, find: Callable[[], Taken], lines: Lines, *, quiet: bool) -> int:
    """Take one and keep it; 1 where it could not be taken, which does not end the others."""
    told = disturbances()
    try:
        found = find()
    except Interrupted:
        raise KeyboardInterrupt from None
    except Exception as error:  # noqa: BLE001  # whatever it was is told, and tried again at the next start
        print(f"      not taken: {type(error).__name__}: {error}"[:300], flush=True)
        return 1
    lines.keep(found)
    notes = "; ".join(["other load before it"] * (not quiet) + ([] if item.startswith(BESIDE_A_HOG) else told()))
    print(f"      {in_a_line(found)}{notes and f' ({notes})'}", flush=True)
    return 0


def main() -> int:
    """Take what is missing, print and write all of it."""
    parser = argparse.ArgumentParser("scripts/verify-guard", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--full", action="store_true", help="every claim, many verdicts: hours, with nothing else here")
    parser.add_argument("--fresh", action="store_true", help="forget what was found before")
    parser.add_argument(
        "--only",
        default="",
        metavar="WORD",
        help="of what is missing only verdicts whose name contains it",
    )
    parser.add_argument("--hours", type=float, default=math.inf, help="begin no verdict after so many")
    parser.add_argument("--report", action="store_true", help="take nothing: tables of what is kept, of any code")
    parser.add_argument("--publish", action="store_true", help="put the tables into docs/guard.md")
    parser.add_argument("--made-up", type=float, metavar="PERCENT", help="only the model, of pairs nobody measured")
    options = parser.parse_args()
    if options.made_up is not None:
        print(report.of_made_up(options.made_up / 100))
        return 0
    mode = FULL if options.full else SHORT
    folder = ROOT / "results" / f"verification-guard-{mode.name}"
    path = folder / "traces.jsonl"
    names = [CALIBRATION, *(f"{kind} {size:g}" for kind, size in mode.verdicts)]
    if not any(options.only in name or name in options.only for name in names):
        parser.error(f"--only {options.only}: no such verdict; there are {', '.join(names)}")
    if options.report and not read(path):
        parser.error(f"{path.relative_to(ROOT)}: holds nothing yet; take verdicts first, without --report")
    environment, failed = read_environment(), 0
    key = key_of(environment)
    if not options.report:
        folder.mkdir(parents=True, exist_ok=True)
        if options.fresh or not (options.full or options.only):
            path.unlink(missing_ok=True)
        failed = take_all(mode, Lines(path, key, machine_of(environment)), options.only, options.hours, environment)
    every = read(path)
    if not every:
        return 1  # why nothing could be taken is told above
    newest = every[-1].key
    found = report.Found(mode, first_of(every, newest))
    words = report.heading_of(found)
    if newest != key:
        words += f" Taken with other code than today's (its key: {newest})."
    told = report.write(found, folder, words)
    print(told.text)
    if options.publish:
        put_in(ROOT / "docs" / "guard.md", "verify-guard", told.published)
    return int(bool(told.failures or failed))


if __name__ == "__main__":
    exit_with(main, "with --full the next start goes on from here")
