"""Copies of the workload with something planted in their source text, of known size: what a comparison should find."""

import shutil
import statistics
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from workers import Side

from bench.execute.launchers import Launcher
from bench.guard.live.trees import take_workload
from bench.measure.paired import centre
from bench.measure.workload import PACKAGE, workload_folder
from bench.trial import Cell, Trial

MATRIX = 128
"""Rows and columns of a planted matrix: one product takes about 0.2 % of a 30 ms step, so sizes can be set finely."""
DOSE = 100
"""Products a step while their cost is measured: far more than two processes of one program differ by."""
STALLS_EVERY = 37
"""Steps from one planted stall to the next, six windows of `bench ab` or more where a step takes 8 ms or more; a prime,
so that none always meets the untimed steps between windows."""


@dataclass(frozen=True)
class Edit:
    """A change of one file: what must stand in it exactly once, what takes its place, and what is added at the end."""

    file: str
    old: str
    new: str
    added: str = ""


def compute(products: int) -> Edit:
    """Each step multiplies matrices between its forward and its backward pass, which wait for each other.

    What is added to the probabilities is 0: the network learns what it would have learnt.
    """
    line = "            probabilities = self.model(images, training=True)\n"
    more = (
        f"            planted = tf.fill(({MATRIX}, {MATRIX}), 1e-6 * tf.stop_gradient(probabilities[0, 0]))\n"
        f"            for _ in range({products}):\n"
        "                planted = tf.matmul(planted, planted)\n"
        "            probabilities += 1e-30 * planted[0, 0]\n"
    )
    return Edit("training.py", line, line + more)


def stall(products: int, every: int) -> Edit:
    """As `compute`, at one step of so many: windows shorter than that mostly have none of it."""
    line = "            probabilities = self.model(images, training=True)\n"
    more = (
        "            with tape.stop_recording():\n"
        f"                seed = tf.fill(({MATRIX}, {MATRIX}), 1e-6 * probabilities[0, 0])\n"
        f"                due = tf.where(self.optimizer.iterations.value % {every} == 0, {products}, 0)\n"
        "                planted = tf.while_loop(\n"
        "                    lambda place, _: place < due,\n"
        "                    lambda place, matrix: (place + 1, tf.matmul(matrix, matrix)),\n"
        "                    (0, seed),\n"
        "                )[1]\n"
        "            probabilities += 1e-30 * planted[0, 0]\n"
    )
    return Edit("training.py", line, line + more)


def leak(mebibytes: int) -> Edit:
    """Every step keeps a touched mebibyte for ever, until there are so many; taken as a window of steps ends."""
    line = "    loss, accuracy = (float(total) / steps for total in totals.numpy())\n"
    added = (
        "\n\n_PLANTED = []\n\n\ndef _leak(steps):\n"
        f"    for _ in range(min(steps, {mebibytes} - len(_PLANTED))):\n        _PLANTED.append(b'1' * 2**20)\n"
    )
    return Edit("engines.py", line, f"{line}    _leak(steps)\n", added)


def late_input(seconds: float) -> Edit:
    """Each batch sleeps in the pipeline's map, before the prefetching."""
    old = "lambda indices: lookup(images, labels, indices), num_parallel_calls=1"
    added = (
        "\n\ndef _late(indices):\n    import time\n\n    def pause():\n"
        f"        time.sleep({seconds!r})\n        return np.float32(0)\n\n"
        "    with tf.control_dependencies([tf.numpy_function(pause, [], tf.float32)]):\n"
        "        return tf.identity(indices)\n"
    )
    return Edit("pipeline.py", old, old.replace("labels, indices", "labels, _late(indices)"), added)


def plant(into: Path, *edits: Edit) -> Path:
    """A folder with a copy of this tree's workload, edited; returns the folder. ValueError where the text has moved."""
    copy = into / PACKAGE
    shutil.copytree(workload_folder(), copy, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in edits:
        file = copy / edit.file
        text = file.read_text(encoding="utf-8")
        if text.count(edit.old) != 1:
            raise ValueError(
                f"{edit.file}: must hold this once, and holds it {text.count(edit.old)} times: {edit.old!r}"
            )
        file.write_text(text.replace(edit.old, edit.new) + edit.added, encoding="utf-8")
    return into


@dataclass(frozen=True)
class Effect:
    """Of one process of each side: seconds of a clean step, and how much longer a step of the other is, as a share."""

    step_s: float
    share: float


def effect_of(scratch: Path, cell: Cell, trees: tuple[Path, Path], rounds: int, window_s: float) -> Effect:
    """Uninterrupted windows of fresh workers of both trees, in alternating order: no code of the guard is in it."""
    with _sides(scratch, cell, {"clean": trees[0], "planted": trees[1]}) as sides:
        for side in sides.values():
            side.step_s(20)
        steps = max(12, round(window_s / sides["clean"].step_s(20)))
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(rounds):
            for name in sides if number % 2 else reversed(sides):
                taken[name].append(sides[name].step_s(steps))
    ratios = [planted / clean for clean, planted in zip(*taken.values(), strict=True)]
    return Effect(statistics.median(taken["clean"]), centre(ratios) - 1)


def products_for(share: float, effects: list[Effect]) -> int:
    """How many products make a clean step longer by a share, from what DOSE of them did in some processes."""
    product_share = statistics.fmean(effect.share for effect in effects) / DOSE
    if product_share <= 0:
        raise ValueError(f"{DOSE} products made a step no longer: their cost cannot be measured here now")
    return max(1, round(share / product_share))


@contextmanager
def _sides(scratch: Path, cell: Cell, trees: Mapping[str, Path]) -> Iterator[dict[str, Side]]:
    with ExitStack() as stack:
        sessions = {}
        for name, tree in trees.items():
            copy = take_workload(str(tree), scratch / f"workload-{name}-{len(list(scratch.iterdir()))}")
            launch = Launcher(variables={"PYTHONPATH": str(copy.path)})
            session = launch(Trial(cell=cell), scratch / f"{name}.log")
            sessions[name] = stack.enter_context(closing(session))
        yield {name: Side(session, cell) for name, session in sessions.items()}
