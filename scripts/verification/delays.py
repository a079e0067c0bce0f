"""Claims about forecasts, held against workers whose messages are late by what is known."""

import math
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from measurement import Silent
from outcomes import Outcome, Verdict, shown, verdict_of
from workers import LIMITS, Side

from bench.execute.collectives import sizes
from bench.execute.conduct import conduct
from bench.execute.launchers import Launcher
from bench.execute.limits import Limits
from bench.execute.windows import expect
from bench.measure.communication import Communication, ring_s
from bench.measure.paired import Centre, centre_of
from bench.protocol.answers import CollectivesMeasured, ComputingMeasured
from bench.protocol.commands import MeasureCollectives, MeasureComputing
from bench.report.cells import CellSummary, summarise
from bench.report.forecast import curves_of, mean_step_s
from bench.report.rows import row_of
from bench.store.record import CollectiveWindow, ComputingWindow, TrialRecord
from bench.store.runs import append_line
from bench.store.windows import Window, WindowColumns
from bench.trial import Cell, Trial
from mnist_cnn.settings import Engine

MOST_ERROR = 0.10
LEAST_GAIN = 2.0
"""How many times as far off the guess of ideal scaling must be."""
RUN_IN, STEPS = 1, 4
COLLECTIVE_S, FEWEST_CALLS = 0.1, 8
"""A window of all-reduces is about so long, of so many at least."""
RELAYED_WORKER = Path(__file__).with_name("relayed_worker.py")


def cell_of(workers: int, per_replica_batch: int, engine: Engine) -> Cell:
    """So many workers of one CPU each, without end."""
    return Cell(
        strategy="multi_worker_mirrored",
        workers=workers,
        replicas=workers,
        global_batch=workers * per_replica_batch,
        engine=engine,
        cpu_threads=1,
        epochs=0,
    )


def relayed(delay_s: float) -> Launcher:
    """What starts workers that are so far from each other."""
    return Launcher(template=f"{shlex.join([sys.executable, str(RELAYED_WORKER)])} {delay_s} {{command}}")


@contextmanager
def apart(scratch: Path, cell: Cell, delay_s: float) -> Iterator[Side]:
    """The workers of a cell, so far from each other and ready; gone when the block ends."""
    log = scratch / f"{cell.workers}-workers-{1e3 * delay_s:g}-ms.log"
    with closing(relayed(delay_s)(Trial(cell=cell), log)) as session:
        yield Side(session, cell)


def conducted(folder: Path, cell: Cell, delay_s: float, trial_s: float) -> TrialRecord:
    """One trial whose workers are `delay_s` away from each other; kept in `records.jsonl`. Raises where it fails."""
    trial, log = Trial(cell=cell), folder / "trial.log"
    session = relayed(delay_s)(trial, log)
    record = conduct(session, trial, limits=Limits(budget_s=trial_s), listener=Silent())
    if record.status != "ok" or not record.windows:
        raise RuntimeError(f"{record.status}: {record.reason}")
    _keep(folder, delay_s, record)
    return record


def _keep(folder: Path, delay_s: float, record: TrialRecord) -> None:
    told = record.model_dump_json(exclude={"workload"})  # a folder of this machine is nobody else's business
    append_line(folder / "records.jsonl", f'{{"delay_s": {delay_s}, "record": {told}}}')


@dataclass(frozen=True)
class Round:
    """A window of one worker, one of two, and of the two what a forecast is made from."""

    one: Window
    two: Window
    computing: ComputingWindow
    collectives: list[CollectiveWindow]


@dataclass(frozen=True)
class Held:
    """A forecast of two workers beside what they took, in seconds of a step."""

    forecast_s: float
    ideal_s: float
    measured_s: float

    @property
    def error(self) -> float:
        """Of the forecast, as a share of what was measured."""
        return self.forecast_s / self.measured_s - 1

    @property
    def ideal_error(self) -> float:
        """Of the guess that two workers take as long as one."""
        return self.ideal_s / self.measured_s - 1


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
        parameters = two.ready.effective.parameters
        kinds = [(parameters, False), (min(sizes(parameters, two.cell.replicas)), False)]
        if two.cell.engine != "fused":
            kinds.append((parameters, True))
        self._collectives = [self._sized(*kind) for kind in kinds]
        self.round()  # traces

    def round(self) -> Round:
        """All that a forecast is made from, and what it is to foretell, within seconds."""
        return Round(
            one=self._trained(self.one),
            two=self._trained(self.two),
            computing=self._computed(),
            collectives=[self._summed(asked) for asked in self._collectives],
        )

    def _trained(self, side: Side) -> Window:
        side.window(RUN_IN)
        done = side.window(STEPS)
        return Window(phase="window", **done.model_dump(include={"start_s", "window_s", "steps", "loss", "accuracy"}))

    def _computed(self) -> ComputingWindow:
        self.two.session.say(MeasureComputing(steps=STEPS, run_in=RUN_IN))
        done = expect(self.two.session, ComputingMeasured, LIMITS.answer_s)
        return ComputingWindow(steps=done.steps, window_s=done.window_s)

    def _summed(self, asked: MeasureCollectives) -> CollectiveWindow:
        self.two.session.say(asked)
        done = expect(self.two.session, CollectivesMeasured, LIMITS.answer_s)
        return CollectiveWindow(**done.model_dump(include={"elements", "calls", "dispatched", "window_s"}))

    def _sized(self, elements: int, dispatched: bool) -> MeasureCollectives:
        """As many all-reduces as fill a window."""
        few = MeasureCollectives(elements=elements, calls=FEWEST_CALLS, dispatched=dispatched)
        self._summed(few)  # traces
        call_s = self._summed(few).window_s / FEWEST_CALLS
        return few.model_copy(update={"calls": max(FEWEST_CALLS, math.ceil(COLLECTIVE_S / call_s))})

    def records(self, rounds: Sequence[Round]) -> tuple[TrialRecord, TrialRecord]:
        """Some rounds as trials of one worker and of two would have stored them."""
        one, two = (
            TrialRecord(
                trial=Trial(cell=side.cell),
                status="ok",
                effective=side.ready.effective,
                windows=WindowColumns.of(windows),
            )
            for side, windows in ((self.one, [one.one for one in rounds]), (self.two, [one.two for one in rounds]))
        )
        probes = {
            "computing": [one.computing for one in rounds],
            "collectives": [window for one in rounds for window in one.collectives],
        }
        return one, two.model_copy(update=probes)


def take_delay(
    scratch: Path, folder: Path, delay_s: float, looks: Sequence[int], batch: int, engine: Engine
) -> list[Outcome]:
    """Rounds of one and two workers at one delay, until it is known whether the forecast holds, or to the last look.

    The records of all rounds go to `records.jsonl`.
    """
    rounds = list[Round]()
    one, two = (cell_of(workers, batch, engine) for workers in (1, 2))
    with apart(scratch, one, delay_s) as alone, apart(scratch, two, delay_s) as together:
        pair = Pair(alone, together)
        for look in looks:
            rounds += [pair.round() for _ in range(look - len(rounds))]
            found = Found([held(pair.records([one])) for one in rounds], 0.05 / len(looks))
            if found.verdict != "unsure":
                break
        whole = pair.records(rounds)
    for record in whole:
        _keep(folder, delay_s, record)
    return [
        Outcome(
            f"two workers' step is forecast within {100 * MOST_ERROR:.0f} %, and half of what ideal scaling is off by",
            f"+{1e3 * delay_s:g} ms a message, {engine}, batch {batch} each",
            f"{_words(held(whole))}; by round {found}",
            f"{len(rounds)} rounds",
            found.verdict,
        )
    ]


class Found:
    """Forecast and ideal guess ÷ what was measured, within rounds, with intervals that err with `alpha`."""

    def __init__(self, rounds: Sequence[Held], alpha: float):
        self._forecast, self._ideal = (
            _centre([getattr(one, name) / one.measured_s for one in rounds], alpha)
            for name in ("forecast_s", "ideal_s")
        )

    def __str__(self) -> str:
        return f"{shown(self._forecast, 3)} of it, ideal {shown(self._ideal, 3)}"

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


def _words(one: Held) -> str:
    figures = f"{1e3 * one.forecast_s:.1f} ms for {1e3 * one.measured_s:.1f}"
    return f"{figures}: off by {100 * one.error:+.1f} %, ideal {100 * one.ideal_error:+.1f} %"


def take_ring(folder: Path, delay_s: float) -> list[Outcome]:
    """The gradient's all-reduce of three and four workers, from that of two at the same delay."""
    found: dict[int, Communication] = {}
    for workers in (2, 3, 4):
        record = conducted(folder, cell_of(workers, 4, "fused"), delay_s, trial_s=1.0)
        (summary,) = summarise([row_of(record)])
        found[workers] = _communication(summary)
    outcomes = []
    for workers in (3, 4):
        forecast_s = ring_s(found[2].links[0], found[2].gradient.size_bytes, workers)
        measured_s = found[workers].gradient.seconds
        error = forecast_s / measured_s - 1
        outcomes.append(
            Outcome(
                f"the all-reduce of {workers} workers is forecast from that of two within {100 * MOST_ERROR:.0f} %",
                f"+{1e3 * delay_s:g} ms a message",
                f"{1e3 * forecast_s:.1f} ms for {1e3 * measured_s:.1f}: off by {100 * error:+.1f} %",
                "1 trial each",
                verdict_of(abs(error) < MOST_ERROR),
            )
        )
    return outcomes


def _communication(summary: CellSummary) -> Communication:
    assert summary.communication is not None, "a trial of several workers measures it"
    return summary.communication
