"""How fast is each engine, by batch size? `fit`, `step`, `fused` interleaved in live workers, as a table and a plot.

At every batch size one worker of each kind stays alive; in shuffled turns each trains some untimed steps and then a
window, while the others are idle. Printed are images/s and the ratio to Keras `fit` within a round (the
Hodges-Lehmann centre over rounds with its 95 % interval).

    .venv/bin/python scripts/verification/engines.py [--rounds 24] [--batches 16,32,64,200,800] [--out FOLDER]
"""

import argparse
import random
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from workers import worker

from bench.measure.paired import Centre, centre_of
from bench.trial import Cell

KINDS = {
    "fit": {"engine": "fit"},
    "fit × oneDNN": {"engine": "fit", "onednn": "on"},
    "step": {"engine": "step"},
    "fused": {"engine": "fused"},
    "fused × resident": {"engine": "fused", "input": "resident"},
}
WINDOW_S = 0.4


@dataclass(frozen=True)
class Speeds:
    """Of one batch size: images/s (the median over rounds), and the ratio of each kind to `fit`.

    `fused_over_same_kernels` is the ratio to `fit` with oneDNN on, as `fused` has it: what the engine alone gains.
    """

    images_per_s: dict[str, float]
    over_fit: dict[str, Centre]
    fused_over_same_kernels: Centre


def measure(scratch: Path, global_batch: int, rounds: int, kinds: list[str]) -> Speeds:
    """Interleave the kinds at one batch size."""
    order = random.Random(global_batch)  # noqa: S311  # an order, not a secret
    with ExitStack() as stack:
        sides = {
            kind: stack.enter_context(worker(scratch, Cell(global_batch=global_batch, epochs=0, **KINDS[kind])))
            for kind in kinds
        }
        step_s = {kind: min(side.step_s(12) for _ in range(3)) for kind, side in sides.items()}
        steps = max(12, round(WINDOW_S / min(step_s.values())))
        taken: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind in order.sample(kinds, len(kinds)):
                taken[kind].append(sides[kind].step_s(steps))
    ratios = {kind: _ratio(taken["fit"], own) for kind, own in taken.items()}
    images_per_s = {kind: global_batch / statistics.median(own) for kind, own in taken.items()}
    return Speeds(images_per_s, ratios, _ratio(taken["fit × oneDNN"], taken["fused"]))


def _ratio(slow_s: list[float], fast_s: list[float]) -> Centre:
    centre = centre_of([slow / fast for slow, fast in zip(slow_s, fast_s, strict=True)])
    assert centre, "there are enough rounds"
    return centre


def table(found: dict[int, Speeds]) -> str:
    """Markdown: a line per batch size."""
    kinds = list(KINDS)
    columns = ["global batch", *(f"{kind}, images/s" for kind in kinds), "fused ÷ fit", "oneDNN on both sides"]
    lines = [f"| {' | '.join(columns)} |"]
    lines.append("|" + "---:|" * len(columns))
    for batch, speeds in found.items():
        ratios = (speeds.over_fit["fused"], speeds.fused_over_same_kernels)
        words = [f"{speeds.images_per_s[kind]:,.0f}" for kind in kinds]
        words += [f"{ratio.value:.2f} ({ratio.low:.2f}–{ratio.high:.2f})" for ratio in ratios]
        lines.append(f"| {batch} | {' | '.join(words)} |")
    return "\n".join(lines) + "\n"


def plot(found: dict[int, Speeds], path: Path) -> None:
    """The ratio of every kind to `fit`, over the batch."""
    from bench.report.canvas import legend_beside, picture, styles

    kinds = list(KINDS)
    marks = styles(len(kinds))
    smallest = min(found)
    title = f"fused is {found[smallest].over_fit['fused'].value:.1f} × as fast as fit at a batch of {smallest}"
    notes = ["Interleaved in live workers; bars: 95 % intervals of the ratio within a round."]
    with picture(path, title, notes, 1, (7.6, 4.2), kinds) as (figure, (axis,)):
        for kind, mark in zip(kinds, marks, strict=True):
            centres = [found[batch].over_fit[kind] for batch in found]
            values = [centre.value for centre in centres]
            bars = [[c.value - c.low for c in centres], [c.high - c.value for c in centres]]
            axis.errorbar(list(found), values, yerr=bars, color=mark.colour, marker=mark.marker, capsize=2)
        axis.set_xscale("log", base=2)
        axis.set_xticks(list(found), [f"{batch:,}" for batch in found])
        axis.set(xlabel="global batch (images, logarithmic)", ylabel="throughput ÷ fit's")
        axis.set_ylim(bottom=0)
        legend_beside(figure, kinds, marks)


def main() -> None:
    """Measure, print, plot."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--batches", default="16,32,64,200,800")
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        for batch in map(int, options.batches.split(",")):
            found[batch] = measure(Path(scratch), batch, options.rounds, list(KINDS))
            print(table(found).splitlines()[-1], flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "engines.md").write_text(table(found), encoding="utf-8")
    plot(found, options.out / "engines.png")
    print(f"\n{table(found)}\nWritten: {options.out}/engines.md, engines.png")


if __name__ == "__main__":
    main()
