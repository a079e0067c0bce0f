"""Claims about forecasts, held against workers whose messages are late by what is known."""

import random
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from measurement import Silent
from outcomes import Outcome, Verdict, verdict_of

from bench.execute.conduct import conduct
from bench.execute.launchers import Launcher
from bench.execute.limits import Limits
from bench.measure.communication import Communication, ring_s
from bench.report.cells import CellSummary, summarise
from bench.report.forecast import curves_of, mean_step_s
from bench.report.rows import row_of
from bench.store.record import TrialRecord
from bench.trial import Cell, Trial
from mnist_cnn.settings import Engine

MOST_ERROR = 0.10
LEAST_GAIN = 2.0
"""How many times as far off the guess of ideal scaling must be."""
TRIAL_S = 10.0
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


def conducted(folder: Path, cell: Cell, delay_s: float, trial_s: float = TRIAL_S) -> TrialRecord:
    """One trial whose workers are `delay_s` away from each other; kept in `records.jsonl`. Raises where it fails."""
    template = f"{shlex.join([sys.executable, str(RELAYED_WORKER)])} {delay_s} {{command}}"
    trial, log = Trial(cell=cell), folder / "trial.log"
    session = Launcher(template=template)(trial, log)
    record = conduct(session, trial, limits=Limits(budget_s=trial_s), listener=Silent())
    if record.status != "ok" or not record.windows:
        raise RuntimeError(f"{record.status}: {record.reason}")
    with (folder / "records.jsonl").open("a", encoding="utf-8") as stream:
        told = record.model_dump_json(exclude={"workload"})  # a folder of this machine is nobody else's business
        print(f'{{"delay_s": {delay_s}, "record": {told}}}', file=stream, flush=True)
    return record


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

    @property
    def holds(self) -> bool:
        """Whether the forecast is near, and nearer by half than the guess."""
        return abs(self.error) < min(MOST_ERROR, abs(self.ideal_error) / LEAST_GAIN)


def held(records: Sequence[TrialRecord]) -> Held:
    """The public path: stored records, cells, forecast."""
    cells = summarise([row_of(record) for record in records])
    (curve,) = curves_of(cells, [2])
    point = next(point for point in curve.points if (point.kind, point.replicas) == ("weak", 2))
    assert point.measured is not None, "two workers were measured"
    return Held(point.step_s.value, mean_step_s(curve.baseline), mean_step_s(point.measured.cell))


def take_delays(folder: Path, delays_s: Sequence[float], repeats: int, batch: int, engine: Engine) -> list[Outcome]:
    """One and two workers at every delay, there and back again; an outcome for each delay."""
    taken: dict[float, list[list[TrialRecord]]] = {delay_s: [] for delay_s in delays_s}
    order = random.Random(0)  # noqa: S311  # an order, not a secret
    for repeat in range(repeats):
        for delay_s in delays_s if repeat % 2 == 0 else reversed(delays_s):
            cells = [cell_of(workers, batch, engine) for workers in order.sample((1, 2), 2)]
            taken[delay_s].append([conducted(folder, cell, delay_s) for cell in cells])
            one = held(taken[delay_s][-1])
            print(f"  {engine}, +{1e3 * delay_s:g} ms: {_words(one)}", flush=True)
    return [_outcome(delay_s, batch, engine, pairs) for delay_s, pairs in taken.items()]


def _outcome(delay_s: float, batch: int, engine: Engine, pairs: Sequence[Sequence[TrialRecord]]) -> Outcome:
    """By all trials together; unsure where a pair alone would be judged otherwise."""
    whole, each = held([record for pair in pairs for record in pair]), [held(pair) for pair in pairs]
    verdict: Verdict = verdict_of(whole.holds) if len({one.holds for one in [whole, *each]}) == 1 else "unsure"
    spread = ", ".join(f"{100 * one.error:+.1f}" for one in each)
    return Outcome(
        f"two workers' step is forecast within {100 * MOST_ERROR:.0f} %, and half of what ideal scaling is off by",
        f"+{1e3 * delay_s:g} ms a message, {engine}, batch {batch} each",
        f"{_words(whole)} (each time {spread} %)",
        f"{len(pairs)} × 2 trials",
        verdict,
    )


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
