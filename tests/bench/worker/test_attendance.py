"""A coordinator's worker that does nothing is named, and none that is merely slow or has nothing to do."""

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


def test_a_worker_that_hangs_is_named_in_half_a_minute() -> None:
    """The second of two stops doing steps in its tenth second; the first goes on."""
    workers = Workers(10, 10)
    attendance = workers.attended()
    assert windows(workers, attendance, 10) == (10, None)
    workers.rates[1] = 0
    seconds, rank = windows(workers, attendance, 600)
    assert (rank, seconds) == (2, pytest.approx(LEAST_S, abs=2))


def test_a_slow_worker_is_waited_for() -> None:
    """One step in 25 s beside another's 100 a second is slow and no more; once it hangs it is given 20 of its steps."""
    workers = Workers(100, 0.04)
    attendance = workers.attended()
    assert windows(workers, attendance, 600) == (600, None)
    workers.rates[1] = 0
    seconds, rank = windows(workers, attendance, 1000)
    assert (rank, seconds) == (2, pytest.approx(20 * 25, abs=30))


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


def waited(workers: Workers, attendance: Attendance, seconds: float) -> None:
    for _ in range(round(10 * seconds)):
        workers.work(0.1)
        attendance.wait()


def test_a_worker_that_keeps_the_last_step_is_named() -> None:
    """It hangs in the last seconds of an epoch; the other does what there is left, and then waits too."""
    workers = Workers(10, 10)
    attendance = workers.attended()
    windows(workers, attendance, 5)
    workers.rates = [10, 0]
    waited(workers, attendance, 3)
    workers.rates = [0, 0]
    with pytest.raises(WorkerHung, match=r"^has done no step for 3\d s") as hung:
        waited(workers, attendance, 60)
    assert hung.value.rank == 2


def test_of_workers_that_end_at_once_none_is_named() -> None:
    """Which of them has the step that is waited for, nobody can tell."""
    workers = Workers(10, 10)
    attendance = workers.attended()
    windows(workers, attendance, 5)
    workers.rates = [0, 0]
    with pytest.raises(WorkerHung, match=r"^a worker has done no step for 3\d s") as hung:
        waited(workers, attendance, 60)
    assert hung.value.rank is None


def test_steps_that_take_long_are_waited_for() -> None:
    """Two workers with a step in 40 s each, of which the last is still to come, are waited for."""
    workers = Workers(0.025, 0.025)
    attendance = workers.attended()
    waited(workers, attendance, 400)
    workers.rates = [0, 0]
    waited(workers, attendance, 300)
