"""Asks the hosts that workers will start on what they are, through the launcher, before anything is planned."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from bench.errors import UsageError
from bench.execute.launchers import Launcher
from bench.execute.limits import Limits
from bench.execute.ranks import meeting_points
from bench.execute.reach import looked_for
from bench.execute.session import NoAnswer, WorkerLost, WorkerSession, close_all
from bench.execute.windows import Ended, PortTaken, expect
from bench.measure.joint import Told, joint_environment
from bench.measure.versions import OWN_PACKAGE, differing_content, differing_versions
from bench.protocol.answers import EnvironmentRead, Hello, Met
from bench.protocol.commands import AskEnvironment, Meet
from bench.protocol.conversation import PROTOCOL_VERSION, AnyAnswer

_READING_S = 90.0
"""A driver has 60 s of them to answer."""
_STARTS = 3
"""Of all, where a port was taken between a hello and the listening at it."""
_MEETING_S = 20.0
"""Twice what they have to connect."""
A = TypeVar("A", bound=AnyAnswer)


def survey(launcher: Launcher, workers: int, parent: Mapping[str, Any], limits: Limits | None = None) -> dict[str, Any]:
    """The environment of a run of at most so many workers, as bench.measure.joint tells it.

    Each place in which the launcher starts any of them is asked once, all at the same time. Raises UsageError where
    one cannot be reached, from here or from another, has no TensorFlow, other code than the first, or other versions
    than that or the parent.
    """
    for _ in range(_STARTS - 1):
        with suppress(PortTaken):
            return _surveyed(launcher, workers, parent, limits or Limits())
    try:
        return _surveyed(launcher, workers, parent, limits or Limits())
    except PortTaken as taken:
        raise UsageError(f"--launcher {launcher.template}: {taken}") from None


def _surveyed(launcher: Launcher, workers: int, parent: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    places = launcher.places(workers)
    with tempfile.TemporaryDirectory(prefix="bench-hosts-") as folder:
        sessions = dict[int, WorkerSession]()
        try:
            for rank in places:
                try:
                    sessions[rank] = WorkerSession(launcher.command_line(rank), Path(folder) / f"{rank}.log")
                except WorkerLost as lost:
                    _refuse(launcher, [f"{launcher.name_of(rank)} {lost}"], len(places))
            answers = _answers(launcher, sessions, limits)
        finally:
            close_all(sessions.values())
    _refuse_what_cannot_train(launcher, answers, parent)
    told: list[Told] = [(places[rank], answer.environment) for rank, answer in answers.items()]
    return joint_environment(told, parent)


def _answers(launcher: Launcher, sessions: Mapping[int, WorkerSession], limits: Limits) -> dict[int, EnvironmentRead]:
    """What each says, by its rank; all have the same time, since they run side by side."""
    hellos = _each(launcher, sessions, Hello, limits.hello_s)
    old = {rank: hello.protocol_version for rank, hello in hellos.items() if hello.protocol_version != PROTOCOL_VERSION}
    mend = "install the same version of this package there"
    told = [
        f"{launcher.name_of(rank)}: speaks protocol {one}, not {PROTOCOL_VERSION}: {mend}" for rank, one in old.items()
    ]
    _refuse(launcher, told, len(sessions))
    if len(sessions) > 1:
        _meet(launcher, sessions, hellos)
    for session in sessions.values():
        session.say(AskEnvironment())
    return _each(launcher, sessions, EnvironmentRead, _READING_S)


def _each(launcher: Launcher, sessions: Mapping[int, WorkerSession], kind: type[A], seconds: float) -> dict[int, A]:
    """What each says within the same seconds, since they run side by side; raises UsageError of who does not."""
    found, faults, deadline = dict[int, A](), list[str](), time.monotonic() + seconds
    for rank, session in sessions.items():
        try:
            found[rank] = expect(session, kind, max(0.0, deadline - time.monotonic()))
        except PortTaken:
            raise
        except (Ended, NoAnswer, WorkerLost) as fault:
            faults.append(f"{launcher.name_of(rank)}: {fault}")
    _refuse(launcher, faults, len(sessions))
    return found


def _refuse(launcher: Launcher, faults: Sequence[str], of: int) -> None:
    if faults:
        more = f" (and {len(faults) - 1} more of {of})" if len(faults) > 1 else ""
        raise UsageError(f"--launcher {launcher.template}: {faults[0]}{more}")


def _meet(launcher: Launcher, sessions: Mapping[int, WorkerSession], hellos: Mapping[int, Hello]) -> None:
    """Have them connect to each other before a trial waits for it; UsageError where one does not reach another."""
    ranks = list(sessions)
    at = dict(zip(ranks, meeting_points([hellos[rank] for rank in ranks]), strict=True))
    looked = looked_for(ranks)
    for rank, others in looked.items():
        sessions[rank].say(Meet(others=[at[other] for other in others]))
    met = _each(launcher, sessions, Met, _MEETING_S)
    faults = [
        f"{launcher.name_of(rank)} cannot reach {launcher.name_of(other)} at {at[other]} ({why}): open the ephemeral "
        "ports between them, or name another network with --network"
        for rank in ranks
        for other in ranks
        if (why := met[rank].unreached.get(at[other]))
    ]
    _refuse(launcher, faults, sum(map(len, looked.values())))


def _refuse_what_cannot_train(
    launcher: Launcher, answers: Mapping[int, EnvironmentRead], parent: Mapping[str, Any]
) -> None:
    """What would only be found out when the first trial is over."""
    first, code = _versions(answers[0].environment), answers[0].environment.get("code_sha256")
    for rank, answer in answers.items():
        name = launcher.name_of(rank)
        if not answer.tensorflow:
            raise UsageError(f"{name}: TensorFlow is not installed there; install the extra cpu or gpu")
        own = _versions(answer.environment)
        # the parent trains nothing: of its versions only this package's counts, where both have it installed
        both = OWN_PACKAGE in own and OWN_PACKAGE in parent["packages"]
        here = own | {OWN_PACKAGE: parent["packages"][OWN_PACKAGE]} if both else own
        for which, other in ((launcher.name_of(0), first), ("this machine", here)):
            if differing := differing_versions((name, which), own, other):
                raise UsageError(differing)
        whose = name, launcher.name_of(0)
        if differing := differing_content("code", whose, answer.environment.get("code_sha256"), code):
            raise UsageError(differing)


def _versions(environment: Mapping[str, Any]) -> dict[str, str]:
    return {"python": environment["python"], **environment["packages"]}
