"""Claims about two workers on one host: what this machine leaves of two, and what training together takes of that."""

import os
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
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

LEAST_EFFICIENCY, LEAST_OF_NEIGHBOURS = 0.90, 0.95
RUN_IN, STEPS = 2, 6
_ON_ONE_CPU = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); os.execv(sys.argv[2], sys.argv[2:])"
Taken = dict[str, list[float]]
"""Of each kind, seconds of a step in each round."""


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


def step_s(sides: Sequence[Side]) -> float:
    """Seconds of a step of sides that all run at the same time, on average."""
    for steps in (RUN_IN, STEPS):
        for side in sides:
            side.session.say(RunWindow(steps=steps))
        windows = [expect(side.session, WindowDone, LIMITS.answer_s) for side in sides]
    return fmean(window.window_s for window in windows) / STEPS


def take(scratch: Path, batch: int, engine: Engine, rounds: int) -> Taken:
    """All kinds in turn, in a shuffled order."""
    order = random.Random(0)  # noqa: S311  # an order, not a secret
    with live(scratch, batch, engine) as sides:
        taken: Taken = {kind: [] for kind in sides}
        for kind in sides:
            step_s(sides[kind])
        for _ in range(rounds):
            for kind in order.sample(list(sides), len(sides)):
                taken[kind].append(step_s(sides[kind]))
    return taken


def ratio(taken: Mapping[str, Sequence[float]], over: str, under: str) -> Centre:
    """The steps of one kind ÷ those of another, within a round."""
    centre = centre_of([one / other for one, other in zip(taken[over], taken[under], strict=True)])
    assert centre is not None, "there are enough rounds"
    return centre


def take_neighbours(scratch: Path, batch: int, engine: Engine, rounds: int) -> list[Outcome]:
    """Weak scaling of two workers, against one alone and against two that are not connected."""
    if len(usable_cpus()) < 2:
        raise RuntimeError(f"two workers with a CPU of their own take two; here is {os.cpu_count()}")
    taken = take(scratch, batch, engine, rounds)
    machine, ours, left = (
        ratio(taken, *kinds) for kinds in (("alone", "beside"), ("alone", "together"), ("beside", "together"))
    )
    what, n = f"{engine}, batch {batch} each", f"{rounds} rounds"
    told = f"two that are not connected reach {shown(machine, 3)}"
    return [
        Outcome(
            f"two workers train with a weak efficiency of {100 * LEAST_EFFICIENCY:.0f} %",
            f"{what}; {told}",
            f"{shown(ours, 3)}; at least {LEAST_EFFICIENCY}",
            n,
            within(ours, LEAST_EFFICIENCY),
        ),
        Outcome(
            f"training together leaves {100 * LEAST_OF_NEIGHBOURS:.0f} % of what two unconnected workers reach",
            what,
            f"{shown(left, 3)}; at least {LEAST_OF_NEIGHBOURS}",
            n,
            within(left, LEAST_OF_NEIGHBOURS),
        ),
    ]
