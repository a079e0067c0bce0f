"""How fast is each engine, by batch size? `fit`, `step`, `fused` interleaved in live workers, as a table and a plot.

At every batch size one worker of each kind lives; in shuffled turns each trains some untimed steps and then a window
of half a second, while the others are idle. Then come fresh workers, for processes of one program differ, too. Printed
are images/s and the ratio to Keras `fit`: taken within a round, its Hodges-Lehmann centre over the rounds of a set of
workers, and the centre over the sets with its 95 % interval.

    .venv/bin/python scripts/verification/engines.py [--processes 6] [--rounds 6] [--batches 16,32,200,800]
        [--out FOLDER] [--draw] [--publish]

`scripts/verify-measurement --full` measures the same; `--draw --out results/verification-full` draws that.
"""

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from outcomes import ROOT
from publish import put_in
from workers import Start, workers

from bench.measure.paired import Centre, centre, centre_of, fewest
from bench.trial import Cell

FIT, SAME_KERNELS, FUSED = "fit", "fit × oneDNN", "fused"
KINDS = {
    FIT: {"engine": "fit"},
    SAME_KERNELS: {"engine": "fit", "onednn": "on"},
    "step": {"engine": "step"},
    FUSED: {"engine": "fused"},
    "fused × resident": {"engine": "fused", "input": "resident"},
}
"""`fit × oneDNN` has the kernels that `fused` has: over it stands what the engine alone gains."""
WINDOW_S = 0.5
FEWEST_STEPS = 4
Taken = list[dict[str, list[float]]]
"""Of every set of workers, for each kind, seconds per image in each round."""


@dataclass(frozen=True)
class Extent:
    """How many workers of each kind there are, one after the other, and how many rounds each set of them has."""

    processes: int
    rounds: int

    def __str__(self) -> str:
        """What an interval is over."""
        several = self.processes > 1
        return f"{self.processes} processes of each" if several else f"{self.rounds} rounds, one process of each"


def cells_of(global_batch: int) -> dict[str, Cell]:
    """Every kind at one batch size."""
    return {kind: Cell(global_batch=global_batch, epochs=0, **settings) for kind, settings in KINDS.items()}


def measure(scratch: Path, cells: Mapping[str, Cell], extent: Extent) -> Taken:
    """Interleave some kinds, each with its cell, in so many sets of fresh workers."""
    order = random.Random(0)  # noqa: S311  # an order, not a secret
    return [_measured_once(scratch, cells, extent.rounds, order) for _ in range(extent.processes)]


def _measured_once(
    scratch: Path, cells: Mapping[str, Cell], rounds: int, order: random.Random
) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {kind: [] for kind in cells}
    # the first to start is the oldest, and no kind is that more often than by chance
    starts = {kind: Start(cells[kind]) for kind in order.sample(list(cells), len(cells))}
    with workers(scratch, starts) as sides:
        step_s = {kind: min(side.step_s(12) for _ in range(3)) for kind, side in sides.items()}
        for _ in range(rounds):
            for kind in order.sample(list(cells), len(cells)):
                steps = max(FEWEST_STEPS, round(WINDOW_S / step_s[kind]))
                taken[kind].append(sides[kind].step_s(steps) / cells[kind].global_batch)
    return taken


def keep(taken: Taken, global_batch: int, folder: Path) -> None:
    """Write what was taken at one batch size, for `--draw`."""
    (folder / f"engines-{global_batch}.json").write_text(json.dumps(taken), encoding="utf-8")


def kept(batches: Iterable[int], folder: Path) -> dict[int, Taken]:
    """Read what was taken at some batch sizes; older files have one set."""
    found = {batch: json.loads((folder / f"engines-{batch}.json").read_text(encoding="utf-8")) for batch in batches}
    return {batch: taken if isinstance(taken, list) else [taken] for batch, taken in found.items()}


def ratio(taken: Taken, fast: str, slow: str) -> Centre:
    """By how much one kind is faster than another: over the sets of workers, or where there is one over its rounds."""
    sets = [[slow_s / fast_s for slow_s, fast_s in zip(one[slow], one[fast], strict=True)] for one in taken]
    found = centre_of([centre(ratios) for ratios in sets] if len(sets) > 1 else sets[0])
    assert found, "there are enough sets, or rounds"
    return found


def table(found: Mapping[int, Taken]) -> str:
    """Markdown: a line per batch size."""
    columns = ["global batch", *(f"{kind}, images/s" for kind in KINDS), "fused ÷ fit", "fused ÷ fit × oneDNN"]
    lines = [f"| {' | '.join(columns)} |", "|" + "---:|" * len(columns)]
    for batch, taken in found.items():
        words = [f"{1 / statistics.median(s for one in taken for s in one[kind]):,.0f}" for kind in KINDS]
        ratios = [ratio(taken, FUSED, slow) for slow in (FIT, SAME_KERNELS)]
        words += [f"{one.value:.2f} ({one.low:.2f}–{one.high:.2f})" for one in ratios]
        lines.append(f"| {batch} | {' | '.join(words)} |")
    return "\n".join(lines) + "\n"


def plot(found: Mapping[int, Taken], stem: Path) -> None:
    """The ratio of every kind to `fit`, over the batch."""
    from bench.report.pictures.canvas import legend_beside, picture, styles

    kinds, batches = list(KINDS), list(found)
    marks = styles(len(kinds))
    smallest = min(batches)
    most = ratio(found[smallest], FUSED, FIT).value
    title = f"fused trains {most:.2f} × as fast as fit at a batch of {smallest}"
    notes = ["Interleaved in live workers; bars: 95 % intervals of the ratio, over processes, or rounds of one each."]
    with picture(stem, title, notes, 1, (7.6, 4.2), kinds) as (figure, (axis,)):
        for kind, mark in zip(kinds, marks, strict=True):
            centres = [ratio(found[batch], kind, FIT) for batch in batches]
            bars = [[one.value - one.low for one in centres], [one.high - one.value for one in centres]]
            values = [one.value for one in centres]
            axis.errorbar(batches, values, yerr=bars, color=mark.colour, marker=mark.marker, capsize=2)
        axis.set_xscale("log", base=2)
        axis.set_xticks(batches, [f"{batch:,}" for batch in batches])
        axis.set(xlabel="global batch (images, logarithmic)", ylabel="throughput ÷ fit's")
        axis.set_ylim(bottom=0)
        legend_beside(figure, kinds, marks)


def main() -> None:
    """Measure, print, plot."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--processes", type=int, default=6, help="of each kind, one after the other; 1, or 6 or more")
    parser.add_argument("--rounds", type=int, default=6, help="of windows, in each set of processes")
    parser.add_argument("--batches", default="16,32,200,800")
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--draw", action="store_true", help="measure nothing, draw what --out holds")
    parser.add_argument("--publish", action="store_true", help="put the table into README and docs/settings.md")
    options = parser.parse_args()
    try:
        cells = {int(batch): cells_of(int(batch)) for batch in options.batches.split(",")}
    except ValueError:  # pydantic's is one, too
        parser.error(f"--batches {options.batches}: give whole numbers from 1 on, with commas in between")
    extent = Extent(options.processes, options.rounds)
    over = {1: options.rounds}.get(options.processes, options.processes)
    if not options.draw and (over < fewest() or options.rounds < 1):
        parser.error(f"give --rounds of 1 or more and --processes of {fewest()} or more, or one and rounds of so many")
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for batch in [] if options.draw else cells:
            print(f"global batch {batch}", flush=True)
            keep(measure(Path(scratch), cells[batch], extent), batch, options.out)
    found = kept(cells, options.out)
    (options.out / "engines.md").write_text(table(found), encoding="utf-8")
    plot(found, options.out / "engines")
    for name in ("README.md", "docs/settings.md") if options.publish else ():
        put_in(ROOT / name, "engines", table(found))
    print(f"\n{table(found)}\nWritten: {options.out}/engines.md, engines.png")


if __name__ == "__main__":
    main()
