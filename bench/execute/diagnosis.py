"""The rounds of a diagnosis over a live trial: its own windows and those of its probes, interleaved."""

import random
from collections.abc import Callable

from bench.execute.limits import Limits
from bench.execute.session import Session
from bench.execute.windows import expect
from bench.measure.diagnosis import AS_IS, well_known
from bench.protocol import (
    BeginDiagnosis,
    DiagnosisBegun,
    DiagnosisEnded,
    EndDiagnosis,
    Probe,
    ProbeDone,
    RunProbe,
    RunWindow,
    WindowDone,
)


class Rounds:
    """Runs rounds over a session that is ready, from `begin` to `end`; then its training is as it was.

    In every round each side, the trial as it is and each probe, runs `run_in` untimed steps, to drain what its input
    had piled up while the others ran, and then a window of `steps`, in a shuffled order.
    """

    def __init__(self, session: Session, limits: Limits, *, steps: int, run_in: int):
        self._session, self._patience, self._steps, self._run_in = session, limits.answer_s, steps, run_in
        self._order = random.Random(0)  # noqa: S311  # an order, not a secret
        self._sides: list[Probe | None] = [None]

    def begin(self) -> None:
        """Save the training's state, make the probes, trace their graphs."""
        self._session.say(BeginDiagnosis())
        self._sides = [None, *expect(self._session, DiagnosisBegun, self._patience).probes]
        for side in self._sides:
            self._window_s(side, 1)

    def one(self) -> dict[str, float]:
        """One round: seconds per step of each side."""
        step_s = {}
        for side in self._order.sample(self._sides, len(self._sides)):
            self._window_s(side, self._run_in)
            step_s[side or AS_IS] = self._window_s(side, self._steps) / self._steps
        return step_s

    def end(self) -> None:
        """Put the training's state back."""
        self._session.say(EndDiagnosis())
        expect(self._session, DiagnosisEnded, self._patience)

    def _window_s(self, side: Probe | None, steps: int) -> float:
        if side is None:
            self._session.say(RunWindow(steps=steps))
            return expect(self._session, WindowDone, self._patience).window_s
        self._session.say(RunProbe(probe=side, steps=steps))
        return expect(self._session, ProbeDone, self._patience).window_s


def run_rounds(rounds: Rounds, seconds: float, clock: Callable[[], float]) -> list[dict[str, float]]:
    """Rounds until the shares are known well enough, or no more after `seconds`."""
    deadline, done = clock() + seconds, list[dict[str, float]]()
    rounds.begin()
    while not well_known(done) and clock() < deadline:
        done.append(rounds.one())
    rounds.end()
    return done
