"""Which of a coordinator's workers hangs: the others go on with the work, so that no window would tell."""

import time
from collections.abc import Callable
from typing import Protocol

LEAST_S = 30.0
"""Without a step, before a worker is given up; more where its own steps take long."""
PATIENCE_STEPS = 20
FIRST_S = 300.0
"""Before its first step, which prepares all others."""
FEWEST_OF_OTHERS = 20
"""Steps that each other worker does meanwhile, on average: where nobody does any, no window would end either."""
_EVERY_S = 0.5


class WorkerHung(Exception):  # noqa: N818  # reads as what happened
    """A worker does nothing though there is something to do.

    `rank` is its place among a trial's processes; None where it cannot be told which of several it is.
    """

    def __init__(self, worker: int | None, seconds: float):
        whose = "" if worker is not None else "a worker "
        super().__init__(f"{whose}has done no step for {seconds:.0f} s, of those that were handed out")
        self.rank = None if worker is None else 1 + worker  # behind the coordinator


class Updating(Protocol):
    """What workers do without waiting for each other: `mnist_cnn.parameter_server.Updates`."""

    @property
    def steps_done(self) -> list[int]:
        """Of each worker so far."""


class Attendance:
    """Watches how many steps each worker has done, while windows last: what is between them is nobody's idleness."""

    def __init__(self, updates: Updating, clock: Callable[[], float] = time.monotonic):
        self._updates, self._clock = updates, clock
        self._done = updates.steps_done
        self._began_s = self._looked_s = self._left_s = clock()
        self._moved_s = [clock()] * len(self._done)
        self._others = [0] * len(self._done)
        """Steps of the others by then."""

    def begin(self) -> None:
        """A window begins: what came between it and the last look does not count."""
        paused_s = self._clock() - self._left_s
        self._began_s += paused_s
        self._moved_s = [moved_s + paused_s for moved_s in self._moved_s]

    def look(self) -> None:
        """At the end of a window; raises WorkerHung."""
        if self._see():
            enough = FEWEST_OF_OTHERS * (len(self._done) - 1)
            for worker, done in enumerate(self._done):
                still_s = self._looked_s - self._moved_s[worker]
                meanwhile = sum(self._done) - done - self._others[worker]
                if still_s > self._patience_s(worker) and meanwhile >= enough > 0:
                    raise WorkerHung(worker, still_s)
        self._left_s = self._clock()

    def wait(self) -> None:
        """While steps are waited for that somebody has; raises WorkerHung, as a rule for the first that did no more."""
        if self._see():
            still_s = self._looked_s - max(self._moved_s)
            if still_s > max(map(self._patience_s, range(len(self._done)))):
                longest = [worker for worker, moved_s in enumerate(self._moved_s) if moved_s == min(self._moved_s)]
                raise WorkerHung(longest[0] if len(longest) == 1 else None, self._looked_s - min(self._moved_s))
        self._left_s = self._clock()

    def _see(self) -> bool:
        """Look again, unless that was a moment ago."""
        now = self._clock()
        if now - self._looked_s < _EVERY_S:
            return False
        steps = self._updates.steps_done
        for worker, done in enumerate(steps):
            if done != self._done[worker]:
                self._moved_s[worker], self._others[worker] = now, sum(steps) - done
        self._done, self._looked_s = steps, now
        return True

    def _patience_s(self, worker: int) -> float:
        if not self._done[worker]:
            return FIRST_S
        return max(LEAST_S, PATIENCE_STEPS * (self._moved_s[worker] - self._began_s) / self._done[worker])
