"""Claims about two workers on one host: what this machine leaves of two, and what training together takes of that.

Two that train together wait after each step for whoever was disturbed in it. What that and being beside each other take
is measured on the two that know nothing of each other: in windows of one step that both begin at once, of which the
longer counts.
Whether two could train faster in the same way is asked of a bare loop, which has nothing of this product.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

from bare_cluster import bare_cluster, on_cpu
from distant import cell_of
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
from mnist_cnn.settings import FUSED_VARIABLES, Engine

LEAST_EFFICIENCY, LEAST_OF_WAITING, LEAST_OF_BARE = 0.90, 0.95, 0.97
RUN_IN, STEPS = 1, 4
Windows = Callable[[int], list[float]]
"""Trains so many steps on each side of a kind, all begun at the same time, and tells the seconds of each."""
Taken = dict[str, list[float]]
"""Of each kind, seconds of a step in each round."""
STEPWISE = ", step by step"
"""Of kinds in windows of one step."""
BARE_ALONE, BARE = "bare, alone", "bare, together"


@contextmanager
def live(scratch: Path, batch: int, engine: Engine) -> Iterator[dict[str, Windows]]:
    """One worker alone, two that know nothing of each other, and two that train together, all ready at once.

    Alone is the first of the two; the others are idle meanwhile. Under `fused` there is a bare loop, too, of one worker
    and of two.
    """
    one, two = cell_of(1, batch, engine), cell_of(2, batch, engine)
    usable = sorted(usable_cpus())
    shares = [share_of_cpus(usable, threads=1, local_rank=rank, local_ranks=2) or usable for rank in range(2)]
    cpus = [share[0] for share in shares]  # those that two that train together take
    with ExitStack() as stack:
        apart = [WorkerSession([*on_cpu(cpu), *LOCAL_WORKER], scratch / f"apart-{cpu}.log") for cpu in cpus]
        together = Launcher()(Trial(cell=two), scratch / "together.log")
        for session in (*apart, together):
            stack.enter_context(closing(session))
        beside = [Side(session, one) for session in apart]
        sides = {"alone": beside[:1], "beside": beside, "together": [Side(together, two)]}
        kinds: dict[str, Windows] = {kind: partial(windows_s, some) for kind, some in sides.items()}
        if engine == "fused":
            for kind, own in ((BARE_ALONE, cpus[:1]), (BARE, cpus)):
                bare = stack.enter_context(bare_cluster(scratch, batch, own, FUSED_VARIABLES))
                kinds[kind] = bare.windows_s
        yield kinds


def windows_s(sides: Sequence[Side], steps: int) -> list[float]:
    """As `Windows` has it, of workers of this product."""
    for side in sides:
        side.session.say(RunWindow(steps=steps))
    return [expect(side.session, WindowDone, LIMITS.answer_s).window_s for side in sides]


def step_s(windows: Windows) -> float:
    """Seconds of a step of sides that all run at the same time, on average."""
    windows(RUN_IN)
    return fmean(windows(STEPS)) / STEPS


def waited_step_s(windows: Windows) -> float:
    """The same where each step is a window and waits for the side that is last."""
    windows(RUN_IN)
    return fmean(max(windows(1)) for _ in range(STEPS))


def take(kinds: Mapping[str, Windows], rounds: int, order: random.Random) -> Taken:
    """All kinds in turn, in a shuffled order, those of this product in both ways."""
    takes = {kind: partial(step_s, windows) for kind, windows in kinds.items()}
    takes |= {kind + STEPWISE: partial(waited_step_s, kinds[kind]) for kind in ("alone", "beside", "together")}
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
            *([self._beside_bare(what, n)] if BARE in self.taken else []),
        ]

    def _beside_bare(self, what: str, n: str) -> Outcome:
        """Against two that train in the same way without this product."""
        ours, its_efficiency = self.ratio(BARE, "together"), self.ratio(BARE_ALONE, BARE)
        return Outcome(
            f"two workers train with {100 * LEAST_OF_BARE:.0f} % of the speed of two in a bare loop",
            f"{what}; the weak efficiency of the bare loop is {shown(its_efficiency, 3)}",
            f"{shown(ours, 3)}; at least {LEAST_OF_BARE}",
            n,
            within(ours, LEAST_OF_BARE),
        )


def take_neighbours(scratch: Path, batch: int, engine: Engine, looks: Sequence[int]) -> list[Outcome]:
    """Rounds until it is known what two workers make of this machine, or to the last look."""
    if len(usable_cpus()) < 2:
        raise RuntimeError(f"two workers with a CPU of their own take two; here is {len(usable_cpus())}")
    order = random.Random(0)  # noqa: S311  # an order, not a secret
    with live(scratch, batch, engine) as kinds:
        found = Neighbours(take(kinds, 1, order), 0.05 / len(looks))
        for taken in found.taken.values():
            taken.clear()  # the first round traces
        for look in looks:
            for kind, more in take(kinds, look - len(found.taken["alone"]), order).items():
                found.taken[kind].extend(more)
            outcomes = found.outcomes(f"{engine}, batch {batch} each")
            if all(outcome.verdict != "unsure" for outcome in outcomes):
                break
    return outcomes
