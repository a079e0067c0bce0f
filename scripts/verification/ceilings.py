"""Claims about this machine's ceilings: what measures them, and how near training comes."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from outcomes import Outcome, shown, verdict_of, within
from workers import LIMITS, Side, Start, workers

from bench.execute.ceilings import lead_measurement
from bench.execute.session import LOCAL_WORKER, WorkerSession
from bench.measure.cpus import usable_cpus
from bench.measure.paired import Centre, centre_of
from bench.protocol.answers import CeilingsMeasured
from bench.protocol.commands import MeasureCeilings
from bench.trial import Cell

MATRIX, SUMMANDS = 2048, 2**26
"""A side of a square matrix; float32 values of an array, 256 MiB as the ceiling's."""
TURN_S, TURNS = 0.2, 5
"""Other code has fewer turns than a ceiling has windows, each as long at least: a shorter burst is no ceiling."""
BATCHES, IMAGES = (400, 800), 6400
"""The batches that came nearest on two cores, and how many images a window of them has."""
WARM_UP_STEPS = 8
REACHED = 0.55
TELLING = 0.7
"""Of the ceiling: a slower product, by one thread or without a library, does not show that nothing is faster."""
MOST = 1.05
NEAR = 1.3
"""By how much the quickest dispatches of two processes may differ, either way."""
DISPATCH = (
    "import timeit, tensorflow as tf; nothing = tf.function(lambda: None); nothing();"
    "print(min(timeit.repeat(nothing, number=500, repeat=20)) / 500)"
)


@dataclass(frozen=True)
class Round:
    """The ceilings, and right after them, in FLOP/s and bytes/s, training by batch and NumPy without TensorFlow."""

    ceilings: CeilingsMeasured
    trained: Mapping[int, float]
    multiplied: float
    added: float

    @property
    def matmul(self) -> float:
        """FLOP/s."""
        return self.ceilings.matmul_flops_per_s["float32"].value


def measured_now(scratch: Path) -> CeilingsMeasured:
    """The float32 ceilings with every usable CPU."""
    asked = MeasureCeilings(device="cpu", threads=len(usable_cpus()), precisions=["float32"])
    return lead_measurement(WorkerSession(LOCAL_WORKER, scratch / "ceilings.log"), asked, LIMITS)


def ceilings_hold(scratch: Path, count: int) -> list[Outcome]:
    """How near training comes to what was measured right before it, and that nothing known is faster, in some rounds.

    Ceilings, training and NumPy have turns: what a neighbour takes, it takes of all. NumPy's kernels are among those
    that a ceiling is the fastest of, so this holds the instrument to account (its time, its threads, what the rest of
    the worker costs), and says nothing of kernels that neither library has.
    """
    cells = {batch: Cell(engine="fused", input="resident", global_batch=batch, epochs=0) for batch in BATCHES}
    with workers(scratch, {batch: Start(cell) for batch, cell in cells.items()}) as sides:
        for side in sides.values():
            side.step_s(WARM_UP_STEPS)
        rounds = [_round(scratch, sides) for _ in range(count)]
    multiplied = [(one.multiplied, one.matmul) for one in rounds]
    added = [(one.added, one.ceilings.memory_bytes_per_s.value) for one in rounds]
    return [
        training_comes_near({batch: [(one.trained[batch], one.matmul) for one in rounds] for batch in BATCHES}),
        no_faster("NumPy by itself multiplies matrices no faster than the ceiling", "GFLOP/s", multiplied),
        no_faster("NumPy's threads by themselves add arrays no faster than the ceiling", "GB/s", added),
        dispatch_is_as_quick(min(one.ceilings.dispatch_s.value for one in rounds)),
    ]


def _round(scratch: Path, sides: Mapping[int, Side]) -> Round:
    ceilings = measured_now(scratch)
    trained = {batch: _training_flops_per_s(side) for batch, side in sides.items()}
    return Round(ceilings, trained, numpy_flops_per_s(), numpy_bytes_per_s())


def _training_flops_per_s(side: Side) -> float:
    batch = side.cell.global_batch
    return side.ready.training_flops_per_image * batch / side.step_s(IMAGES // batch)


def training_comes_near(by_batch: Mapping[int, Sequence[tuple[float, float]]]) -> Outcome:
    """The share of the ceiling that the best batch reaches; a round is the FLOP/s of training and of the ceiling."""
    shares = {batch: _share(rounds) for batch, rounds in by_batch.items()}
    best = max(shares, key=lambda batch: shares[batch].value)
    low, high = (f"{1e-9 * pick(ceiling for _, ceiling in by_batch[best]):.0f}" for pick in (min, max))
    return Outcome(
        f"training reaches {100 * REACHED:.0f} % of the matmul ceiling",
        f"{low} to {high} GFLOP/s by matmul",
        f"{shown(shares[best])} of it at a batch of {best}; at least {REACHED}",
        f"{len(by_batch[best])} rounds, one process a batch",
        within(shares[best], REACHED),
    )


def _share(rounds: Sequence[tuple[float, float]]) -> Centre:
    """Of the ceiling, within the rounds."""
    share = centre_of([rate / ceiling for rate, ceiling in rounds])
    assert share is not None, "there are enough rounds"
    return share


def no_faster(claim: str, unit: str, rounds: Sequence[tuple[float, float]]) -> Outcome:
    """Faster code shows that a ceiling is none; slower code shows something only where it comes near.

    A round is the rate of other code and the ceiling beside it.
    """
    share = _share(rounds)
    truth = f"{max(rate for rate, _ in rounds) / 1e9:.3g} {unit} by its own code"
    measured = f"{shown(share)} of the ceiling; at most {MOST}, and from {TELLING} on it tells something"
    verdict = "unsure" if share.value < TELLING else within(share, 0, MOST)
    return Outcome(claim, truth, measured, f"{len(rounds)} rounds", verdict)


def numpy_flops_per_s() -> float:
    """The fastest of some turns of products of square float32 matrices by NumPy, whose library is not TensorFlow's."""
    left, right = np.random.default_rng(0).random((2, MATRIX, MATRIX), np.float32)
    return _fastest(lambda: left @ right, 2 * MATRIX**3)


def numpy_bytes_per_s() -> float:
    """The fastest of some turns of one array added to another in place, by a thread for each usable CPU."""
    threads = len(usable_cpus())
    totals, summands = (np.array_split(np.ones(SUMMANDS, np.float32), threads) for _ in range(2))
    with ThreadPoolExecutor(threads) as pool:
        return _fastest(lambda: list(pool.map(np.add, totals, summands, totals)), 3 * 4 * SUMMANDS)


def _fastest(call: Callable[[], object], work: float) -> float:
    """Work per second of the best turn."""
    call()
    rates = []
    for _ in range(TURNS):
        began, calls = time.monotonic(), 0
        while (took_s := time.monotonic() - began) < TURN_S:
            call()
            calls += 1
        rates.append(calls * work / took_s)
    return max(rates)


def dispatch_is_as_quick(found_s: float) -> Outcome:
    """The ceiling's dispatch against Python's own timeit, in a process that has none of our code."""
    done = subprocess.run([sys.executable, "-c", DISPATCH], capture_output=True, text=True, check=True, timeout=120)
    truth_s = float(done.stdout)
    measured = f"{1e6 * found_s:.0f} µs, {found_s / truth_s:.2f} of it; {1 / NEAR:.2f} to {NEAR}"
    near = 1 / NEAR <= found_s / truth_s <= NEAR
    claim = "an empty tf.function is dispatched as quickly as the ceiling says"
    return Outcome(claim, f"{1e6 * truth_s:.0f} µs by timeit", measured, "best of 20", verdict_of(near))
