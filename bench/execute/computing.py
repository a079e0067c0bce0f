"""Leads the windows that tell what a live trial's replicas compute for, each for itself but all at the same time."""

import math
from collections.abc import Callable

from bench.execute.limits import Limits
from bench.execute.session import Session
from bench.execute.windows import expect
from bench.measure.stopping import SHORTEST_WINDOW_S
from bench.protocol.answers import ComputingMeasured
from bench.protocol.commands import MeasureComputing
from bench.store.record import ComputingWindow
from bench.trial import Cell

WINDOWS, FEWEST_WINDOWS = 8, 3
BUDGET_S = 8.0
"""No further window begins after this, once there are the fewest."""


def has_neighbours(cell: Cell) -> bool:
    """Whether its replicas compute beside each other, each for itself, and by an engine that can be led so.

    On the logical CPUs of one process they would share the same cores, which is no measure of speed; under
    mixed_float16 they agree on every step whether it counts; central variables take one replica's gradient alone.
    """
    for_themselves = cell.precision != "mixed_float16" and cell.strategy != "central_storage"
    beside = cell.workers > 1 or cell.kind == "gpu"
    return cell.replicas > 1 and cell.engine != "fit" and for_themselves and beside


def measure_computing(
    session: Session, run_in: int, step_s: float, limits: Limits, clock: Callable[[], float]
) -> list[ComputingWindow]:
    """Windows of at least `run_in` steps, each after as many that follow a pause; first one traces.

    None at all where steps of `step_s` would take longer than all of it may.
    """
    if 2 * run_in * step_s > BUDGET_S:
        return []

    def one(steps: int, patience_s: float = limits.answer_s) -> ComputingWindow:
        session.say(MeasureComputing(steps=steps, run_in=run_in))
        measured = expect(session, ComputingMeasured, patience_s)
        return ComputingWindow(steps=measured.steps, window_s=measured.window_s)

    one(run_in, limits.ready_s)
    second = one(run_in)
    steps = max(math.ceil(SHORTEST_WINDOW_S * second.steps / second.window_s), run_in)
    deadline = clock() + BUDGET_S
    found: list[ComputingWindow] = []
    while len(found) < WINDOWS and (len(found) < FEWEST_WINDOWS or clock() < deadline):
        found.append(one(steps))
    return found
