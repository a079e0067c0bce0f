"""What the verdicts compare, made when it is asked for: trees with something planted, sized on this machine."""

import os
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

from busy import busy_cpu
from effects import measured_effects
from modes import ACCURACY_CELL, ACCURACY_EPOCHS, BESIDE_A_HOG, CELL, INPUT_CELL, INPUT_SHARE, MARGIN, Mode
from planted import STALLS_EVERY, Edit, Effect, compute, late_input, leak, plant, products_for, stall
from traces import Measured, Request, Trace, take

from bench.guard.live.comparison import Rules
from bench.guard.live.side import Side
from bench.trial import Cell

LONGEST_VERDICT_S = 1800.0


class Planting:
    """Makes what the verdicts compare, sized by the calibration of this machine."""

    def __init__(self, scratch: Path, mode: Mode, environment: dict[str, Any]):
        self.scratch, self.mode, self.environment = scratch, mode, environment
        self.cell = Cell.model_validate({**CELL, "epochs": 0})
        self._trees: dict[str, Path] = {}

    def tree(self, edit: Edit | None) -> Path:
        """A folder with the workload so edited; the same edit has one folder."""
        name = "clean" if edit is None else sha256(repr(edit).encode()).hexdigest()[:8]
        if name not in self._trees:
            self._trees[name] = plant(self.scratch / f"tree-{name}", *([edit] if edit else []))
        return self._trees[name]

    def measure(self, item: str, edit: Edit | None, processes: int) -> Measured:
        """What an edit does to a step, in so many pairs of processes; None shows what the measuring itself does."""
        effects = measured_effects(self.scratch, self.cell, self.tree(None), self.tree(edit), processes)
        return Measured(item=item, step_s=[one.step_s for one in effects], shares=[one.share for one in effects])

    def edit_of(self, share: float, calibration: Measured, every: int = 1) -> Edit:
        """Extra compute that makes a step longer by a share on the average, all of it at one step of so many."""
        pairs = zip(calibration.step_s, calibration.shares, strict=True)
        products = products_for(share, [Effect(*pair) for pair in pairs])
        return compute(products) if every == 1 else stall(every * products, every)

    def request(self, item: str, kind: str, size: float, calibration: Measured) -> Request:
        """The verdict that an item asks for."""
        cell = CELL
        a: Edit | None = None
        b: Edit | None = None
        if kind == "compute":
            b = self.edit_of(size, calibration)
        elif kind == "stall":
            b = self.edit_of(size, calibration, STALLS_EVERY)
        elif kind == "leak":
            b = leak(round(size))
        elif kind.startswith("input"):
            pause_s = INPUT_SHARE * median(calibration.step_s)
            cell = INPUT_CELL
            a, b = late_input(pause_s), late_input(pause_s * (1 + size))
        epochs = ACCURACY_EPOCHS if kind.startswith("rate") else 0
        settings = {"learning_rate": size} if kind == "rate" else {}
        sides = Side("A", {}, str(self.tree(a))), Side("B", {**settings}, str(self.tree(b)))
        rules = Rules(margin=MARGIN, pair_s=self.mode.pair_s, accuracy_epochs=epochs)
        return Request(item, kind, size, sides, ACCURACY_CELL if epochs else cell, rules)

    def take(self, item: str, kind: str, size: float, calibration: Measured) -> Trace:
        """One live verdict, beside a busy CPU where that is its point.

        What earlier ones showed of the machine's noise is hidden from it: a fresh runner of CI knows none either.
        """
        os.environ["XDG_CACHE_HOME"] = str(self.scratch / "caches" / item.replace(" ", "-"))
        with busy_cpu(LONGEST_VERDICT_S) if kind in BESIDE_A_HOG else nullcontext():
            return take(self.request(item, kind, size, calibration), self.environment, self.scratch)
