"""The rounds of a diagnosis over a live trial: its own windows and those of the probes, interleaved."""

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


def run_rounds(
    session: Session, *, steps: int, run_in: int, seconds: float, limits: Limits, clock: Callable[[], float]
) -> list[dict[str, float]]:
    """Seconds per step of the trial as it is and of each of its probes, a mapping per round.

    In every round each runs `run_in` untimed steps, to drain what its input had piled up while the others ran, and
    then a window of `steps`, in a shuffled order. Ends when the shares are known well enough or after
    `seconds`; the session's training is afterwards as it was.
    """
    deadline = clock() + seconds
    session.say(BeginDiagnosis())
    probes = expect(session, DiagnosisBegun, limits.answer_s).probes
    sides: list[Probe | None] = [None, *probes]
    rounds: list[dict[str, float]] = []
    order = random.Random(0)  # noqa: S311  # an order, not a secret
    patience = limits.answer_s

    def window_s(probe: Probe | None, count: int) -> float:
        if probe is None:
            session.say(RunWindow(steps=count))
            return expect(session, WindowDone, patience).window_s
        session.say(RunProbe(probe=probe, steps=count))
        return expect(session, ProbeDone, patience).window_s

    for probe in probes:
        window_s(probe, 1)  # traces its graph
    while not well_known(rounds) and clock() < deadline:
        one = {}
        for side in order.sample(sides, len(sides)):
            window_s(side, run_in)
            one[side or AS_IS] = window_s(side, steps) / steps
        rounds.append(one)
    session.say(EndDiagnosis())
    expect(session, DiagnosisEnded, limits.answer_s)
    return rounds
