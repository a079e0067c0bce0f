"""Live workers of one CPU each, where there are as many, whose messages are late by what is known; sums alone."""

import math
import shlex
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from workers import LIMITS, Side

from bench.execute.launchers import Launcher
from bench.execute.windows import expect
from bench.protocol.answers import CollectivesMeasured
from bench.protocol.commands import MeasureCollectives
from bench.store.record import CollectiveWindow, TrialRecord
from bench.store.runs import append_line
from bench.trial import Cell, Trial
from mnist_cnn.settings import Engine

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


def record_of(side: Side, **figures: object) -> TrialRecord:
    """What was measured of a cell, as a trial of it would have stored that."""
    record = TrialRecord(trial=Trial(cell=side.cell), status="ok", effective=side.ready.effective)
    return record.model_copy(update=figures)


def keep(folder: Path, delay_s: float, record: TrialRecord) -> None:
    """Add a record to `records.jsonl`."""
    told = record.model_dump_json(exclude={"workload"})  # a folder of this machine is nobody else's business
    append_line(folder / "records.jsonl", f'{{"delay_s": {delay_s}, "record": {told}}}')


def summed(side: Side, asked: MeasureCollectives) -> CollectiveWindow:
    """One window of all-reduces."""
    side.session.say(asked)
    done = expect(side.session, CollectivesMeasured, LIMITS.answer_s)
    return CollectiveWindow(**done.model_dump(include={"elements", "calls", "dispatched", "window_s"}))


def sized(side: Side, elements: int, *, dispatched: bool = False) -> MeasureCollectives:
    """As many all-reduces of so many float32 as fill a window, traced."""
    few = MeasureCollectives(elements=elements, calls=FEWEST_CALLS, dispatched=dispatched)
    summed(side, few)  # traces
    call_s = summed(side, few).window_s / FEWEST_CALLS
    return few.model_copy(update={"calls": max(FEWEST_CALLS, math.ceil(COLLECTIVE_S / call_s))})
