"""A coordinator's worker that does nothing is named, and none that is merely slow or has nothing to do."""

import re

import pytest

from bench.worker.attendance import FIRST_S, LEAST_S, Attendance, WorkerHung


class Workers:
    """Steps on a clock of its own: worker i does `rates[i]` a second while there is work."""

    def __init__(self, *rates: float) -> None:
        self.rates, self.now = list(rates), 100.0
        self.steps = [0.0] * len(rates)

    @property
    def steps_done(self) -> list[int]:
        return [int(steps) for steps in self.steps]

    def work(self, seconds: float) -> None:
        self.now += seconds
        self.steps = [steps + rate * seconds for steps, rate in zip(self.steps, self.rates, strict=True)]

    def attended(self) -> Attendance:
        return Attendance(self, clock=lambda: self.now)


def windows(workers: Workers, attendance: Attendance, seconds: float) -> tuple[float, int | None]:
    """Windows of half a second until a worker is found to hang: after how many seconds, and its rank."""
    for number in range(round(2 * seconds)):
        attendance.begin()
        workers.work(0.5)
        try:
            attendance.look()
        except WorkerHung as hung:
            return number / 2, hung.rank
    return seconds, None


@pytest.mark.parametrize(
    ("rate", "well_s", "patience_s", "give_or_take_s"),
    [pytest.param(10, 10, LEAST_S, 2, id="quick"), pytest.param(0.04, 600, 20 * 25, 30, id="a step in 25 s")],
)
def test_a_worker_that_hangs_is_named(rate: float, well_s: float, patience_s: float, give_or_take_s: float) -> None:
    """Beside one of 100 steps a second it may be as slow as it is; hung, it is given half a minute or 20 steps."""
    workers = Workers(100, rate)
    attendance = workers.attended()
    assert windows(workers, attendance, well_s) == (well_s, None)
    workers.rates[1] = 0
    seconds, rank = windows(workers, attendance, 1000)
    assert (rank, seconds) == (2, pytest.approx(patience_s, abs=give_or_take_s))


def test_a_first_step_may_take_minutes() -> None:
    """A worker that has done none yet may be compiling; after five minutes it is named."""
    workers = Workers(10, 0)
    seconds, rank = windows(workers, workers.attended(), 600)
    assert (rank, seconds) == (2, pytest.approx(FIRST_S, abs=2))


def test_what_is_between_windows_is_nobodys_idleness() -> None:
    """After an hour's evaluation the second worker may be seconds late, while the first does hundreds of steps."""
    workers = Workers(100, 100)
    attendance = workers.attended()
    windows(workers, attendance, 10)
    workers.now += 3600
    workers.rates[1] = 0
    assert windows(workers, attendance, 10) == (10, None)
    workers.rates[1] = 100
    assert windows(workers, attendance, 60) == (60, None)


def test_one_worker_alone_is_the_deadline_of_its_windows() -> None:
    """Without others there is nobody to tell it by."""
    workers = Workers(0)
    assert windows(workers, workers.attended(), 3600) == (3600, None)


def waited(workers: Workers, attendance: Attendance, seconds: float) -> str | None:
    """Wait for steps so long; what is said where that ends early, with the rank."""
    for _ in range(round(10 * seconds)):
        workers.work(0.1)
        try:
            attendance.wait()
        except WorkerHung as hung:
            return f"rank {hung.rank}: {hung}"
    return None


def test_a_worker_that_keeps_the_last_step_is_named() -> None:
    """It hangs in the last seconds of an epoch; the other does what there is left, and then waits too."""
    workers = Workers(10, 10)
    attendance = workers.attended()
    windows(workers, attendance, 5)
    workers.rates = [10, 0]
    assert waited(workers, attendance, 3) is None
    workers.rates = [0, 0]
    assert re.match(r"rank 2: has done no step for 3\d s", waited(workers, attendance, 60) or "")


def test_of_workers_that_end_at_once_none_is_named() -> None:
    """Which of them has the step that is waited for, nobody can tell."""
    workers = Workers(10, 10)
    attendance = workers.attended()
    windows(workers, attendance, 5)
    workers.rates = [0, 0]
    assert re.match(r"rank None: a worker has done no step for 3\d s", waited(workers, attendance, 60) or "")


def test_steps_that_take_long_are_waited_for() -> None:
    """Of two workers with a step in 40 s each the next may take ten times as long, and not thirty times."""
    workers = Workers(0.025, 0.025)
    attendance = workers.attended()
    assert waited(workers, attendance, 400) is None
    workers.rates = [0, 0]
    assert waited(workers, attendance, 400) is None
    assert waited(workers, attendance, 800) is not None
