"""Several live workers behind one session: what is said goes to all, what is heard is what they did together."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from bench.execute.inquest import Inquest, told
from bench.execute.merging import MERGES
from bench.execute.parts import Clocks
from bench.execute.reach import looked_for
from bench.execute.serving import finished_led, led
from bench.execute.session import NoAnswer, Session, WorkerLost, close_all
from bench.measure.cpus import cpus_in
from bench.measure.versions import differing_content, differing_versions
from bench.protocol.answers import Failed, Finished, Hello, Ready, WorkerState
from bench.protocol.commands import AskState, Evaluate, Finish, LookFor, Place, Prepare
from bench.protocol.conversation import AnyAnswer, AnyCommand
from bench.trial import Role

_LOOPBACKS = {"127.0.0.1", "::1"}
_FOR_EVER_S = 1e6
_INQUEST_S = 10.0
"""For a watchdog's answer from the other end of a slow network, at the end of a trial only."""
_STATES_EVERY_S = 10.0
"""A worker that is stopped twice, so far apart, is not one that a debugger looked at."""
_DYING_S = 2.0
"""From a killed process's connections being reset, which others complain of, to its watchdog's word that it is gone."""


class Ranks:
    """A session over the workers of one trial, rank 0 first.

    A window lasts as long as its slowest rank; losses and accuracies of ranks are parts of a sum. Evaluation is rank
    0's alone, and where `roles` say that it is a coordinator, everything is but to begin and to finish. The first rank
    that fails or is lost ends the trial, and is named.
    """

    def __init__(self, sessions: Sequence[Session], roles: Sequence[Role] = ()):
        self._sessions = sessions
        self._roles = list(roles) or ["worker"] * len(sessions)
        self._heard: queue.SimpleQueue[tuple[int, AnyAnswer | WorkerLost]] = queue.SimpleQueue()
        self._early: list[list[AnyAnswer]] = [[] for _ in sessions]
        self._due: deque[int] = deque([len(sessions)])  # how many ranks answer each command to come; hellos unasked
        self._hellos: list[Hello] = []
        self._clocks = Clocks()
        self._stopped, self._states_asked_s = set[int](), time.monotonic()
        self._failed = dict[int, WorkerState]()  # as their watchdogs told by themselves
        for rank, session in enumerate(sessions):
            threading.Thread(target=self._listen, args=(rank, session), daemon=True).start()

    @property
    def exchanged_bytes(self) -> int:
        """Bytes said and heard so far, of all ranks."""
        return sum(session.exchanged_bytes for session in self._sessions)

    def say(self, command: AnyCommand) -> None:
        """Send a command to the ranks that it is for."""
        alone = isinstance(command, Evaluate) or (self._led and not isinstance(command, Prepare | Finish))
        asked = self._sessions[:1] if alone else self._sessions
        self._due.append(len(asked))
        if isinstance(command, Prepare):
            each = command.trial.cell.replicas_per_worker
            for session, place in zip(self._sessions, _places(self._hellos, self._roles), strict=True):
                worker = self._roles[: place.rank].count("worker")
                own = command.gpus[worker * each : (worker + 1) * each] if place.role == "worker" else []
                session.say(command.model_copy(update={"place": place, "gpus": own}))
                if others := looked_for(range(len(place.cluster)))[place.rank]:
                    session.say(LookFor(others=[place.cluster[other] for other in others]))
            return
        for session in asked:
            session.say(command)

    def hear(self, timeout_s: float) -> AnyAnswer:
        """Wait until every rank that was asked has answered, and tell it as one answer.

        In between watchdogs are asked how their workers are: of one that others do the work of nobody else would tell.
        """
        deadline = time.monotonic() + timeout_s
        owing = self._early[: self._due[0] if self._due else None]
        while missing := [rank for rank, early in enumerate(owing) if not early]:
            self._ask_states()
            left = max(0.0, deadline - time.monotonic())
            try:
                rank, answer = self._heard.get(timeout=min(left, _STATES_EVERY_S))
            except queue.Empty:
                if left > _STATES_EVERY_S:
                    continue
                raise NoAnswer(self._told_late(missing, timeout_s)) from None
            if isinstance(answer, WorkerState):
                self._see(rank, answer)
                continue
            if isinstance(answer, WorkerLost) and any(isinstance(early, Finished) for early in self._early[rank]):
                continue  # it has said its last word, and may go before the others have said theirs
            if isinstance(answer, WorkerLost | Failed):
                return self._end(rank, answer)
            self._early[rank].append(answer)
        if self._due:
            self._due.popleft()
        return self._together([early.pop(0) for early in owing])

    def close(self) -> None:
        """End every worker."""
        close_all(self._sessions)

    @property
    def _led(self) -> bool:
        return self._roles[0] == "coordinator"

    def _ask_states(self) -> None:
        now = time.monotonic()
        if self._hellos and now - self._states_asked_s >= _STATES_EVERY_S:
            self._states_asked_s = now
            for session in self._sessions:
                session.say(AskState())

    def _see(self, rank: int, answer: WorkerState) -> None:
        """End the trial by the second time in a row that a rank is stopped."""
        if answer.state == "ended" and answer.unreached is not None:
            self._failed[rank] = answer
        if answer.state != "stopped":
            self._stopped.discard(rank)
        elif rank in self._stopped:
            raise NoAnswer(self._told({rank: "is stopped"}))
        else:
            self._stopped.add(rank)

    def _end(self, rank: int, word: Failed | WorkerLost) -> Failed:
        """The end of the trial since one rank ended, told of the rank whose fault it is; raises WorkerLost."""
        found = self._inquest({rank: word})
        rank, word = found.culprit or (rank, word)
        if isinstance(word, Failed) and word.rank is not None and word.rank < len(self._sessions):
            rank = word.rank
        reason = f"{self._names([rank])}: {told(word)}"
        if not found.culprit:
            if faults := found.faults():
                raise WorkerLost(f"{self._told(faults)}; so {reason}", status=word.status)
            reason = "; so ".join([*self._severed(found), reason])
        if isinstance(word, WorkerLost):
            raise WorkerLost(reason, status=word.status)
        return word.model_copy(update={"reason": reason})

    def _told_late(self, missing: Sequence[int], timeout_s: float) -> str:
        found, late = self._inquest({}), f"no answer within {timeout_s:.0f} s"
        if faults := found.faults():
            return f"{self._told(faults)}: {late}"
        return "; so ".join([*self._severed(found), f"{self._names(missing)}: {late}"])

    def _inquest(self, words: dict[int, Failed | WorkerLost]) -> Inquest:
        """Find out who is to blame, from last words to come, and from the watchdogs of ranks without."""
        gone = {rank for rank, early in enumerate(self._early) if any(isinstance(one, Finished) for one in early)}
        found = Inquest(meeting_points(self._hellos), gone=gone)
        for rank, said in [*self._failed.items(), *words.items()]:
            found.hear(rank, said)
        if found.culprit or not self._hellos:
            return found
        for rank in [*found.silent, *found.owing]:  # a worker may take long to end after its last word
            self._sessions[rank].say(found.question(rank))
        self._hear_out(found, _INQUEST_S, lambda: not (found.silent or found.owing))
        if words and found.all_seem_well:  # Linux may still call one running that has closed its connections
            self._hear_out(found, _DYING_S, lambda: False)
        return found

    def _hear_out(self, found: Inquest, seconds: float, enough: Callable[[], bool]) -> None:
        deadline = time.monotonic() + seconds
        with suppress(queue.Empty):
            while not (found.culprit or enough()):
                found.hear(*self._heard.get(timeout=max(0.0, deadline - time.monotonic())))

    def _listen(self, rank: int, session: Session) -> None:
        with suppress(NoAnswer):
            while True:
                try:
                    self._heard.put((rank, session.hear(_FOR_EVER_S)))
                except WorkerLost as lost:
                    self._heard.put((rank, lost))
                    return

    def _together(self, answers: Sequence[AnyAnswer]) -> AnyAnswer:
        first = answers[0]
        if isinstance(first, Hello):
            self._hellos = [answer for answer in answers if isinstance(answer, Hello)]
            return _greeted(self._hellos)
        if self._led and isinstance(first, Ready):
            return led(first, answers[1:], self._roles[1:])
        merge = MERGES.get(first.kind)
        if len(answers) == 1 or merge is None:
            return first
        others = sorted({answer.kind for answer in answers} - {first.kind})
        if others:
            raise WorkerLost(f"ranks answered {first.kind} and {', '.join(others)} at once")
        merged: AnyAnswer = merge(self._clocks.dated(answers))
        return finished_led(merged, answers, self._roles) if self._led and isinstance(merged, Finished) else merged

    def _severed(self, found: Inquest) -> list[str]:
        """The first pair that is cut off from each other, where nobody can tell which of them is cut off from all."""
        if not (pairs := found.severed):
            return []
        more = f" (nor do {len(pairs) - 1} more pairs)" * (len(pairs) > 1)
        return [f"{' and '.join(self._names([rank]) for rank in pairs[0])} do not reach each other{more}"]

    def _told(self, faults: Mapping[int, str]) -> str:
        return ", ".join(f"{self._names([rank])} {fault}" for rank, fault in faults.items())

    def _names(self, ranks: Sequence[int]) -> str:
        roles = [f" ({role})" if self._led else "" for role in self._roles]
        hosts = [f" on {hello.host}" for hello in self._hellos] or [""] * len(roles)
        return ", ".join(f"rank {rank}{roles[rank]}{hosts[rank]}" for rank in ranks)


def _places(hellos: Sequence[Hello], roles: Sequence[Role]) -> Iterator[Place]:
    """Each rank's place; on one host they meet on its loopback, unless a network was asked for."""
    alike = [(hello.host, role) for hello, role in zip(hellos, roles, strict=True)]
    cluster = meeting_points(hellos)
    for rank, hello in enumerate(hellos):
        beside = [other for other, one in enumerate(hellos) if alike[other] == alike[rank] and _share_cpus(one, hello)]
        yield Place(
            cluster=cluster,
            roles=list(roles),
            rank=rank,
            local_rank=alike[:rank].count(alike[rank]),
            cpu_rank=beside.index(rank),
            cpu_ranks=len(beside),
            interface=hello.interface,
        )


def _share_cpus(one: Hello, other: Hello) -> bool:
    """Whether two workers of one host may run on the same CPUs; those that do not tell might."""
    mine, theirs = cpus_in(one.cpus), cpus_in(other.cpus)
    return not (mine and theirs) or bool(mine & theirs)


def meeting_points(hellos: Sequence[Hello]) -> list[str]:
    """Where each meets the others, as address and port."""
    one_place = len({(hello.host, hello.address) for hello in hellos}) == 1
    loopback = one_place and not any(hello.interface for hello in hellos)
    return [f"{'127.0.0.1' if loopback else _in_url(hello.address)}:{hello.port}" for hello in hellos]


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _greeted(hellos: Sequence[Hello]) -> AnyAnswer:
    """Rank 0's hello, or why these ranks cannot train together."""
    first = hellos[0]
    for rank, hello in enumerate(hellos):
        if hello.address in _LOOPBACKS and len({one.host for one in hellos}) > 1:
            told = f"rank {rank} on {hello.host} has no address that others could reach"
            return Failed(status="error", reason=f"{told}; name a network that all hosts are in with --network")
    for rank, hello in enumerate(hellos[1:], 1):
        whose = f"rank {rank} on {hello.host}", f"rank 0 on {first.host}"
        if differing := differing_versions(whose, hello.versions, first.versions):
            return Failed(status="error", reason=differing)
        if hello.protocol_version != first.protocol_version:
            return hello
        for name in ("sha256", "worker_sha256"):
            own, other = (getattr(one.workload, name, None) for one in (hello, first))
            if differing := differing_content("code", whose, own, other):
                return Failed(status="error", reason=differing)
    return first
