"""Claims about forecasts, held against two workers whose messages are late by what is known."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from distant import apart, cell_of, keep, record_of, sized, summed
from outcomes import Outcome, Verdict, shown
from workers import LIMITS, Side

from bench.execute.collectives import sizes
from bench.execute.windows import expect
from bench.measure.paired import Centre, centre_of
from bench.protocol.answers import ComputingMeasured
from bench.protocol.commands import MeasureComputing
from bench.report.cells import summarise
from bench.report.forecast import curves_of, mean_step_s
from bench.report.rows import row_of
from bench.store.record import ComputingWindow, TrialRecord
from bench.store.windows import Window, WindowColumns
from mnist_cnn.settings import Engine

MOST_ERROR = 0.10
LEAST_GAIN = 2.0
"""How many times as far off the guess of ideal scaling must be."""
RUN_IN, STEPS = 1, 4


@dataclass(frozen=True)
class Held:
    """A forecast of two workers beside what they took, in seconds of a step."""

    forecast_s: float
    ideal_s: float
    measured_s: float


def held(records: Sequence[TrialRecord]) -> Held:
    """The public path: stored records, cells, forecast."""
    cells = summarise([row_of(record) for record in records])
    (curve,) = curves_of(cells, [2])
    point = next(point for point in curve.points if (point.kind, point.replicas) == ("weak", 2))
    assert point.measured is not None, "two workers were measured"
    return Held(point.step_s.value, mean_step_s(curve.baseline), mean_step_s(point.measured.cell))


class Pair:
    """A live worker, and two whose messages are late, ready to train in turn."""

    def __init__(self, one: Side, two: Side):
        self.one, self.two = one, two
        self._order = random.Random(0)  # noqa: S311  # an order, not a secret
        parameters = two.ready.effective.parameters
        asked = [sized(two, elements) for elements in (parameters, min(sizes(parameters, two.cell.replicas)))]
        if two.cell.engine != "fused":
            asked.append(sized(two, parameters, dispatched=True))
        self._takes: dict[str, Callable[[], Any]] = {
            "one": partial(_trained, one),
            "two": partial(_trained, two),
            "computing": self._computed,
            "collectives": lambda: [summed(two, each) for each in asked],
        }
        self.round()  # traces

    def round(self) -> tuple[TrialRecord, TrialRecord]:
        """All that a forecast is made from, and what it is to foretell, within seconds; as trials would store it."""
        taken = {name: self._takes[name]() for name in self._order.sample(list(self._takes), len(self._takes))}
        return (
            record_of(self.one, windows=WindowColumns.of([taken["one"]])),
            record_of(
                self.two,
                windows=WindowColumns.of([taken["two"]]),
                computing=[taken["computing"]],
                collectives=taken["collectives"],
            ),
        )

    def _computed(self) -> ComputingWindow:
        self.two.session.say(MeasureComputing(steps=STEPS, run_in=RUN_IN))
        done = expect(self.two.session, ComputingMeasured, LIMITS.answer_s)
        return ComputingWindow(steps=done.steps, window_s=done.window_s)


def _trained(side: Side) -> Window:
    side.window(RUN_IN)
    done = side.window(STEPS)
    return Window(phase="window", **done.model_dump(include={"start_s", "window_s", "steps", "loss", "accuracy"}))


def take_delay(
    scratch: Path, folder: Path, delay_s: float, looks: Sequence[int], batch: int, engine: Engine
) -> list[Outcome]:
    """Rounds of one and two workers at one delay, until it is known whether the forecast holds, or to the last look.

    The records of each round go to `records.jsonl`.
    """
    rounds = list[Held]()
    one, two = (cell_of(workers, batch, engine) for workers in (1, 2))
    with apart(scratch, one, delay_s) as alone, apart(scratch, two, delay_s) as together:
        pair = Pair(alone, together)
        for look in looks:
            for _ in range(look - len(rounds)):
                records = pair.round()
                rounds.append(held(records))
                for record in records:
                    keep(folder, delay_s, record)
            found = Found(rounds, 0.05 / len(looks))
            if found.verdict != "unsure":
                break
    return [
        Outcome(
            f"two workers' step is forecast within {100 * MOST_ERROR:.0f} %, and half of what ideal scaling is off by",
            f"+{1e3 * delay_s:g} ms a message, {engine}, batch {batch} each",
            str(found),
            f"{len(rounds)} rounds",
            found.verdict,
        )
    ]


class Found:
    """Forecast and ideal guess ÷ what was measured, within rounds, with intervals that err with `alpha`."""

    def __init__(self, rounds: Sequence[Held], alpha: float):
        self._measured_s = fmean(one.measured_s for one in rounds)
        self._forecast, self._ideal = (
            _centre([getattr(one, name) / one.measured_s for one in rounds], alpha)
            for name in ("forecast_s", "ideal_s")
        )

    def __str__(self) -> str:
        forecast, ideal = shown(self._forecast, 3), shown(self._ideal, 3)
        return f"{forecast} of the measured {1e3 * self._measured_s:.0f} ms; ideal scaling {ideal}"

    @property
    def verdict(self) -> Verdict:
        """Holds where the forecast is surely near, and surely nearer by half than the guess; fails where surely not."""
        least, most = _off(self._forecast)
        least_ideal, most_ideal = _off(self._ideal)
        if most <= min(MOST_ERROR, least_ideal / LEAST_GAIN):
            return "holds"
        return "FAILS" if least > min(MOST_ERROR, most_ideal / LEAST_GAIN) else "unsure"


def _centre(values: Sequence[float], alpha: float) -> Centre:
    centre = centre_of(values, alpha)
    assert centre is not None, "a look has enough rounds"
    return centre


def _off(ratio: Centre) -> tuple[float, float]:
    """The least and the most that a ratio may be off 1, by its interval."""
    bounds = abs(ratio.low - 1), abs(ratio.high - 1)
    return 0.0 if ratio.low <= 1 <= ratio.high else min(bounds), max(bounds)
