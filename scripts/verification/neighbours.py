"""Claims about two workers on one host: what this machine leaves of two, and what training together takes of that.

Two that train together wait after each step for whoever was disturbed in it. What that alone takes is measured on the
two that know nothing of each other: in windows of one step that both begin at once, of which the longer counts.
"""

import os
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

from delays import cell_of
from outcomes import Outcome, shown, within
from workers import LIMITS, Side

from bench.execute.launchers import Launcher
from bench.execute.session import LOCAL_WORKER, WorkerSession
from bench.execute.windows import expect
from bench.measure.cpus import share_of_cpus, usable_cpus
from bench.measure.paired import Centre, centre_of
from bench.protocol.answers import WindowDone
from bench.protocol.commands import RunWindow
from bench.trial import Trial
from mnist_cnn.settings import Engine

LEAST_EFFICIENCY, LEAST_OF_WAITING = 0.90, 0.95
RUN_IN, STEPS = 1, 4
_ON_ONE_CPU = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); os.execv(sys.argv[2], sys.argv[2:])"
Taken = dict[str, list[float]]
"""Of each kind, seconds of a step in each round."""
STEPWISE = ", step by step"
"""Of kinds in windows of one step."""


def on_cpu(cpu: int) -> list[str]:
    """What starts a worker that sees no other CPU."""
    return [sys.executable, "-c", _ON_ONE_CPU, str(cpu), *LOCAL_WORKER]


@contextmanager
def live(scratch: Path, batch: int, engine: Engine) -> Iterator[dict[str, list[Side]]]:
    """One worker alone, two that know nothing of each other, and two that train together, all ready at once.

    Alone is the first of the two; the others are idle meanwhile.
    """
    one, two = cell_of(1, batch, engine), cell_of(2, batch, engine)
    usable = sorted(usable_cpus())
    shares = [share_of_cpus(usable, threads=1, local_rank=rank, local_ranks=2) or usable for rank in range(2)]
    cpus = [share[0] for share in shares]  # those that two that train together take
    with ExitStack() as stack:
        apart = [WorkerSession(on_cpu(cpu), scratch / f"apart-{cpu}.log") for cpu in cpus]
        together = Launcher()(Trial(cell=two), scratch / "together.log")
        for session in (*apart, together):
            stack.enter_context(closing(session))
        beside = [Side(session, one) for session in apart]
        yield {"alone": beside[:1], "beside": beside, "together": [Side(together, two)]}


def windows_s(sides: Sequence[Side], steps: int) -> list[float]:
    """Seconds of a window of each side, all begun at the same time."""
    for side in sides:
        side.session.say(RunWindow(steps=steps))
    return [expect(side.session, WindowDone, LIMITS.answer_s).window_s for side in sides]


def step_s(sides: Sequence[Side]) -> float:
    """Seconds of a step of sides that all run at the same time, on average."""
    windows_s(sides, RUN_IN)
    return fmean(windows_s(sides, STEPS)) / STEPS


def waited_step_s(sides: Sequence[Side]) -> float:
    """The same where each step is a window and waits for the side that is last."""
    windows_s(sides, RUN_IN)
    return fmean(max(windows_s(sides, 1)) for _ in range(STEPS))


def take(sides: Mapping[str, Sequence[Side]], rounds: int, order: random.Random) -> Taken:
    """All kinds in turn, in a shuffled order, in both ways."""
    takes = {kind: partial(step_s, some) for kind, some in sides.items()}
    takes |= {kind + STEPWISE: partial(waited_step_s, some) for kind, some in sides.items()}
    taken: Taken = {kind: [] for kind in takes}
    for _ in range(rounds):
        for kind in order.sample(list(takes), len(takes)):
            taken[kind].append(takes[kind]())
    return taken


@dataclass(frozen=True)
class Neighbours:
    """What was taken so far, of intervals that err with `alpha`."""

    taken: Taken
    alpha: float

    def ratio(self, over: str, under: str) -> Centre:
        """The steps of one kind ÷ those of another, within a round."""
        pairs = zip(self.taken[over], self.taken[under], strict=True)
        centre = centre_of([one / other for one, other in pairs], self.alpha)
        assert centre is not None, "there are enough rounds"
        return centre

    def outcomes(self, what: str) -> list[Outcome]:
        """Weak scaling of two workers, against one alone and against two that do nothing but wait for each other."""
        n = f"{len(self.taken['alone'])} rounds"
        ours, left = self.ratio("alone", "together"), self.ratio("beside" + STEPWISE, "together" + STEPWISE)
        apart, waiting = self.ratio("alone", "beside"), self.ratio("alone" + STEPWISE, "beside" + STEPWISE)
        return [
            Outcome(
                f"two workers train with a weak efficiency of {100 * LEAST_EFFICIENCY:.0f} %",
                f"{what}; two that are not connected reach {shown(apart, 3)}",
                f"{shown(ours, 3)}; at least {LEAST_EFFICIENCY}",
                n,
                within(ours, LEAST_EFFICIENCY),
            ),
            Outcome(
                f"training together leaves {100 * LEAST_OF_WAITING:.0f} % of what two reach that only wait",
                f"{what}; those reach {shown(waiting, 3)}",
                f"{shown(left, 3)}; at least {LEAST_OF_WAITING}",
                n,
                within(left, LEAST_OF_WAITING),
            ),
        ]


def take_neighbours(scratch: Path, batch: int, engine: Engine, looks: Sequence[int]) -> list[Outcome]:
    """Rounds until it is known what two workers make of this machine, or to the last look."""
    if len(usable_cpus()) < 2:
        raise RuntimeError(f"two workers with a CPU of their own take two; here is {os.cpu_count()}")
    order = random.Random(0)  # noqa: S311  # an order, not a secret
    with live(scratch, batch, engine) as sides:
        found = Neighbours(take(sides, 1, order), 0.05 / len(looks))
        for taken in found.taken.values():
            taken.clear()  # the first round traces
        for look in looks:
            for kind, more in take(sides, look - len(found.taken["alone"]), order).items():
                found.taken[kind].extend(more)
            outcomes = found.outcomes(f"{engine}, batch {batch} each")
            if all(outcome.verdict != "unsure" for outcome in outcomes):
                break
    return outcomes
