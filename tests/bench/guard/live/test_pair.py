"""One pair of processes over fake workers that share a clock: who trains when, and what is kept."""

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from bench.execute.limits import Limits
from bench.guard.live.live_side import Start
from bench.guard.live.metrics import log_ratio_of
from bench.guard.live.pair import FEWEST_ROUNDS, LEAST_S, TELLING_ROUNDS, run_pair
from bench.host import Conditions
from bench.protocol.answers import Failed, Workload
from bench.protocol.commands import Prepare, RunWindow
from bench.store.pairs import Mode, PairRecord
from bench.trial import Cell, Trial
from tests.bench.execute.conftest import Clock, FakeWorker

TREE = "a" * 64


class Turns:
    """Two workers, and the order in which they trained: a letter for a window, in capitals for a run-in."""

    def __init__(self, clock: Clock, **b: Any):
        self.order = ""
        self.workers = [self._worker(clock, "a"), self._worker(clock, "b", **b)]

    def _worker(self, clock: Clock, name: str, **more: Any) -> FakeWorker:
        worker = FakeWorker(clock, **({"step_s": 1 / 64} | more))
        worker.workload = Workload(folder="/side/mnist_cnn", sha256=TREE)
        answer, run_in = worker._window, worker.effective.buffered_batches + 1

        def watched(steps: int, timeout_s: float) -> Any:
            self.order += name.upper() if steps == run_in else name
            return answer(steps, timeout_s)

        worker._window = watched  # type: ignore[method-assign]  # to see who trains when
        return worker


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pair(clock: Clock) -> Callable[..., PairRecord]:
    """Runs a pair over the workers of some turns."""

    def run(
        turns: Turns, mode: Mode = "interleaved", seconds: float = 5.0, number: int = 0, precision: float | None = None
    ) -> PairRecord:
        trial = Trial(cell=Cell(epochs=0))
        a, b = (
            Start(launch=lambda worker=worker: worker, trial=trial, prepare=Prepare(trial=trial), workload_sha256=TREE)
            for worker in turns.workers
        )
        done = run_pair(
            (a, b),
            number,
            seed="today",
            mode=mode,
            seconds=seconds,
            precision=precision,
            limits=Limits(),
            listener=Heard(),
            clock=clock,
            cpu_clock=lambda: 0.0,
            conditions=lambda: Conditions(clock_s=clock.now),
        )
        begun = [worker for worker in turns.workers if worker.answers]
        assert all(worker.closed == 1 for worker in begun), "no worker is left"
        return done

    return run


class Heard:
    def window(self, window: object) -> None:
        pass


def test_sides_take_turns_in_rounds(clock: Clock, pair: Callable[..., PairRecord]):
    """Every round has a window of each, in an order that changes; both sides get equally many."""
    turns = Turns(clock)
    done = pair(turns)
    rounds = "".join(turn for turn in turns.order if turn.islower())[4:]  # calibration comes first
    rounds = rounds[len(rounds) % 2 :]
    pairs = [rounds[place : place + 2] for place in range(0, len(rounds), 2)]
    assert set(pairs) == {"ab", "ba"}
    assert len(pairs) >= FEWEST_ROUNDS
    timed = [sum(window.phase == "window" for window in side.windows) for side in (done.a, done.b)]
    assert timed[0] == timed[1] >= FEWEST_ROUNDS


def test_both_sides_are_told_before_either_is_waited_for(clock: Clock, pair: Callable[..., PairRecord]):
    """Imports of both go on at the same time: no side trains before the other has heard what to build."""
    turns, said = Turns(clock), list[str]()
    for name, worker in zip("ab", turns.workers, strict=True):
        say = worker.say

        def noted(command: Any, name: str = name, say: Callable[[Any], None] = say) -> None:
            said.append(f"{name} {command.kind}")
            say(command)

        worker.say = noted  # type: ignore[method-assign]  # to see who is told what
    pair(turns)
    assert set(said[:2]) == {"a prepare", "b prepare"}


def test_windows_are_sized_once_neither_side_builds(clock: Clock, pair: Callable[..., PairRecord]):
    """While the other side still builds, a step takes longer than it will: no side trains before both are ready."""
    turns = Turns(clock)
    ready_at = list[int]()
    for worker in turns.workers:
        hear = worker.hear

        def noted(timeout_s: float, hear: Callable[[float], Any] = hear) -> Any:
            answer = hear(timeout_s)
            if answer.kind == "ready":
                ready_at.append(len(turns.order))
            return answer

        worker.hear = noted  # type: ignore[method-assign]  # to see when each is ready
    pair(turns)
    assert ready_at == [0, 0]


@pytest.mark.parametrize(
    ("mode", "buffered", "step_s", "steps"),
    [
        ("interleaved", 0, (1 / 256, 1 / 256), {13}),
        ("interleaved", 0, (1 / 256, 1.25 / 256), {13}),
        ("interleaved", 0, (1 / 64, 1 / 64), {4}),
        ("interleaved", 0, (1 / 16, 1 / 16), {4}),
        ("interleaved", 0, (1 / 8, 1 / 8), {2}),
        ("interleaved", 2, (1 / 64, 1 / 64), {8}),
        ("in turn", 0, (1 / 64, 1 / 64), {13}),
    ],
)
def test_turns_are_short_and_equally_many_steps(
    clock: Clock,
    pair: Callable[..., PairRecord],
    mode: Mode,
    buffered: int,
    step_s: tuple[float, float],
    steps: set[int],
):
    """A quarter of a trial's window, but four steps and four times what is buffered, and no more than all of it."""
    turns = Turns(clock)
    for worker, own_s in zip(turns.workers, step_s, strict=True):
        worker.step_s = lambda _, own_s=own_s: own_s
        worker.effective = worker.effective.model_copy(update={"buffered_batches": buffered})
    done = pair(turns, mode=mode)
    windows = [window for side in (done.a, done.b) for window in side.windows if window.phase == "window"]
    assert {window.steps for window in windows} == steps


def test_a_side_runs_in_after_a_pause_only(clock: Clock, pair: Callable[..., PairRecord]):
    """A window that follows the other side's has a run-in before it; one that follows the same side's has none."""
    turns = Turns(clock)
    pair(turns)
    order = turns.order[turns.order.index("a", 6) :]
    assert {"aA", "bB"}.isdisjoint(before + turn for before, turn in pairwise(order)), "a run-in without a pause"
    assert {"ab", "ba"}.isdisjoint(before + turn for before, turn in pairwise(order)), "a pause without a run-in"


def test_a_pause_is_no_gift_to_the_side_that_had_it(clock: Clock, pair: Callable[..., PairRecord]):
    """Every run-in begins without what the input piled up while the other side trained; a window goes on from there."""
    turns = Turns(clock)
    pair(turns)
    for worker in turns.workers:
        told = [command for command in worker.said if isinstance(command, RunWindow)]
        run_in = worker.effective.buffered_batches + 1
        assert [command.afresh for command in told[-20:]] == [command.steps == run_in for command in told[-20:]]


def test_either_side_begins_half_of_the_pairs(clock: Clock, pair: Callable[..., PairRecord]):
    """Of each two pairs in a row A begins one and B the other."""
    first = [pair(Turns(clock), number=number).first for number in range(20)]
    assert all({first[place], first[place + 1]} == {"a", "b"} for place in range(0, 20, 2))
    assert len({tuple(first[place : place + 2]) for place in range(0, 20, 2)}) == 2


def test_a_slower_side_shows_as_its_ratio(clock: Clock, pair: Callable[..., PairRecord]):
    """A worker that takes 5 % more for each step is that much slower, whatever else the clock did."""
    done = pair(Turns(clock, step_s=1.05 / 64))
    assert log_ratio_of(done) == pytest.approx(-0.04879, abs=1e-4)


@pytest.mark.parametrize(("spread", "ends"), [(0.001, True), (0.3, False)])
def test_a_pair_ends_once_its_ratio_is_known(clock: Clock, pair: Callable[..., PairRecord], spread: float, ends: bool):
    """Quiet windows need no more rounds than tell that they are quiet, and 4 s; noisy ones take all their time."""
    drawn = random.Random(0)
    turns = Turns(clock, step_s=lambda _: (1 + drawn.uniform(-spread, spread)) / 64)
    done = pair(turns, seconds=30.0, precision=0.02)
    timed = [window for side in (done.a, done.b) for window in side.windows if window.phase == "window"]
    took_s = sum(window.window_s for window in timed)
    assert len(timed) >= 2 * TELLING_ROUNDS
    assert LEAST_S - 1 < took_s < LEAST_S + 1 if ends else took_s > 20


def test_one_after_the_other(clock: Clock, pair: Callable[..., PairRecord]):
    """In turn, the second worker trains when the first has gone, with no run-in, each for half of the time."""
    turns = Turns(clock)
    done = pair(turns, "in turn", seconds=20.0)
    assert turns.order.lower() in {"a" * n + "b" * (len(turns.order) - n) for n in range(len(turns.order))} | {
        "b" * n + "a" * (len(turns.order) - n) for n in range(len(turns.order))
    }
    spans = [sum(window.window_s for window in side.windows if window.phase == "window") for side in (done.a, done.b)]
    assert spans == pytest.approx([10, 10], abs=0.5)


def test_a_side_with_other_code_is_invalid(clock: Clock, pair: Callable[..., PairRecord]):
    """A worker that imported another tree than the side's has no number."""
    turns = Turns(clock)
    turns.workers[1].workload = Workload(folder="/elsewhere/mnist_cnn", sha256="b" * 64)
    done = pair(turns)
    assert done.b.status == "invalid"
    assert done.b.reason == "the worker imported /elsewhere/mnist_cnn, which is not the mnist_cnn of this side"


@pytest.mark.parametrize("number", range(4))
def test_whichever_side_fails_both_are_recorded(clock: Clock, pair: Callable[..., PairRecord], number: int):
    """A side that runs out of memory as it begins is told, the other is skipped or ends well, no worker is left."""
    turns = Turns(clock, faults={1: Failed(status="oom", reason="no memory")})
    done = pair(turns, number=number)
    assert done.b.status == "oom"
    assert done.a.status == ("ok" if done.first == "a" else "skipped")


def test_a_side_that_hangs_is_a_timeout(clock: Clock, pair: Callable[..., PairRecord]):
    """A window that never ends misses its deadline; the pair ends, the other side with what it has."""
    done = pair(Turns(clock, hangs_at=8))
    assert done.b.status == "timeout"
    assert done.a.status == "ok"
