"""Whose fault it is when a trial of several ranks cannot go on: often not that of the one that complains."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from bench.execute.reach import Pair, cut_off, looked_for, severed
from bench.execute.session import WorkerLost
from bench.protocol.answers import Failed, Finished, WorkerState
from bench.protocol.commands import AskState
from bench.protocol.conversation import AnyAnswer

_SUFFERS = re.compile(
    r"(Unavailable|Aborted|Cancelled|DeadlineExceeded)Error|collective|coordination|heartbeat|peer|connection|socket"
    r"|SIGABRT",
    re.IGNORECASE,
)
"""What TensorFlow says where another rank is gone or silent; its coordination service aborts the process too."""


def suffers_from_others(word: Failed | WorkerLost) -> bool:
    """Whether a rank's last word may well be about another rank; a coordinator's of a worker may be of its host."""
    of_another = isinstance(word, Failed) and word.status == "timeout"
    return of_another or (word.status == "error" and _SUFFERS.search(told(word)) is not None)


def told(word: Failed | WorkerLost) -> str:
    """A last word as text."""
    return word.reason if isinstance(word, Failed) else str(word)


@dataclass
class Inquest:
    """What ranks said last, the first first, and how watchdogs see the workers of those that said nothing."""

    cluster: Sequence[str]
    """Where each rank is to be reached, as address and port."""
    words: dict[int, Failed | WorkerLost] = field(default_factory=dict)
    states: dict[int, str] = field(default_factory=dict)
    missed: dict[int, list[int]] = field(default_factory=dict)
    """The ranks that are not reached any more, by who looked for them."""
    gone: set[int] = field(default_factory=set)
    """Ranks that have finished in order."""
    ended: set[int] = field(default_factory=set)
    """Ranks that can say nothing more."""

    def hear(self, rank: int, answer: AnyAnswer | WorkerLost) -> None:
        """Take what a rank says; after its first last word nothing it says is news, nor that it then goes."""
        if isinstance(answer, Finished):
            self.gone.add(rank)
        if isinstance(answer, Failed | WorkerLost) and rank not in self.gone:
            self.words.setdefault(rank, answer)
        if isinstance(answer, WorkerLost):
            self.ended.add(rank)
        if isinstance(answer, WorkerState) and answer.unreached is not None:  # else it is of an earlier question
            self.missed[rank] = [other for other, at in enumerate(self.cluster) if at in answer.unreached]
            if answer.state != "ended":  # of that its last word will follow
                self.states[rank] = answer.state

    def question(self, rank: int) -> AskState:
        """What a rank's watchdog is asked: how its worker is, and whom it reaches."""
        return AskState(others=[self.cluster[other] for other in self._looked[rank]])

    @property
    def owing(self) -> list[int]:
        """The ranks that complain of others, whose watchdogs are still to say which of them they reach."""
        return [rank for rank in self.words if rank not in self.missed and rank not in self.ended]

    @property
    def silent(self) -> list[int]:
        """The ranks of which nothing is known."""
        heard_of = self.words.keys() | self.states.keys() | self.gone
        return [rank for rank in range(len(self.cluster)) if rank not in heard_of]

    @property
    def all_seem_well(self) -> bool:
        """Whether every rank has answered, and the watchdogs of those without a last word saw them run."""
        return not self.silent and not self.faults()

    @property
    def culprit(self) -> tuple[int, Failed | WorkerLost] | None:
        """The first rank that ended by itself, and its last word."""
        ended = ((rank, word) for rank, word in self.words.items() if not suffers_from_others(word))
        return next(ended, None)

    def faults(self) -> Mapping[int, str]:
        """What is wrong with ranks, by rank: first those known to be stopped."""
        stopped = {rank: "is stopped" for rank, state in self.states.items() if state == "stopped"}
        lost = dict.fromkeys(cut_off(self._looked, self.missed), "is not reached by the others")
        return stopped or lost | dict.fromkeys(self.silent, "cannot be reached")

    @property
    def severed(self) -> list[Pair]:
        """The pairs of ranks that do not reach each other."""
        return sorted(severed(self.missed))

    @cached_property
    def _looked(self) -> dict[int, list[int]]:
        return looked_for(range(len(self.cluster)))
