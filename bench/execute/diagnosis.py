"""The rounds of a diagnosis over a live trial: its own windows and those of its probes, interleaved."""

import random
from collections.abc import Callable

from bench.execute.limits import Limits
from bench.execute.session import Session
from bench.execute.windows import expect
from bench.measure.diagnosis import AS_IS, well_known
from bench.protocol.answers import DiagnosisBegun, DiagnosisEnded, Finished, ProbeDone, WindowDone
from bench.protocol.commands import BeginDiagnosis, EndDiagnosis, Probe, RunProbe, RunWindow


class Rounds:
    """Runs rounds over a session that is ready, from `begin` to `end`; then its training is as it was.

    In every round each side, the trial as it is and each probe, runs `run_in` untimed steps, the trial without what its
    input had piled up while the others ran, and then a window of `steps`, in a shuffled order. `slowest_s` is the
    longest that a window of the trial has taken.
    """

    def __init__(self, session: Session, limits: Limits, *, steps: int, run_in: int, slowest_s: float = 0.0):
        self._session, self._steps, self._run_in, self._limits = session, steps, run_in, limits
        self._patience = max(limits.answer_s, limits.window_patience * slowest_s)
        self._order = random.Random(0)  # noqa: S311  # an order, not a secret
        self.sides: list[Probe | None] = [None]
        """The trial as it is, and from `begin` on each probe."""

    def begin(self) -> Finished:
        """Save the training's state and hear what the trial took so far."""
        self._session.say(BeginDiagnosis())
        begun = expect(self._session, DiagnosisBegun, self._patience)
        self.sides = [None, *begun.probes]
        return begun.so_far

    def trace(self) -> None:
        """Have every side build and trace what it runs, off the clock."""
        for side in self.sides:
            self._window_s(side, 1, self._limits.ready_s)

    def one(self) -> dict[str, float]:
        """One round: seconds per step of each side."""
        return {side or AS_IS: self.step_s(side) for side in self._order.sample(self.sides, len(self.sides))}

    def step_s(self, side: Probe | None) -> float:
        """Seconds per step of one side, run in first."""
        self._window_s(side, self._run_in, self._patience, afresh=True)
        return self._window_s(side, self._steps, self._patience) / self._steps

    def end(self) -> None:
        """Put the training's state back."""
        self._session.say(EndDiagnosis())
        expect(self._session, DiagnosisEnded, self._patience)

    def _window_s(self, side: Probe | None, steps: int, patience_s: float, *, afresh: bool = False) -> float:
        if side is None:
            self._session.say(RunWindow(steps=steps, afresh=afresh))
            return expect(self._session, WindowDone, patience_s).window_s
        self._session.say(RunProbe(probe=side, steps=steps))
        return expect(self._session, ProbeDone, patience_s).window_s


def run_rounds(rounds: Rounds, seconds: float, clock: Callable[[], float], done: list[dict[str, float]]) -> None:
    """Rounds of a diagnosis that has begun, until the shares are known well enough or `seconds` are over.

    Each goes to the empty list `done` as it ends, so that a worker that is lost takes none of them along.
    """
    deadline = clock() + seconds
    rounds.trace()
    while not well_known(done) and clock() < deadline:
        done.append(rounds.one())
    rounds.end()
