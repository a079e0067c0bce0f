"""Asks the hosts that workers will start on what they are, through the launcher, before anything is planned."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.execute.launchers import Launcher
from bench.execute.limits import Limits
from bench.execute.session import NoAnswer, WorkerLost, WorkerSession, close_all
from bench.execute.windows import Ended, expect
from bench.measure.joint import Told, joint_environment
from bench.measure.versions import OWN_PACKAGE, differing_content, differing_versions
from bench.protocol.answers import EnvironmentRead, Hello
from bench.protocol.commands import AskEnvironment
from bench.protocol.conversation import PROTOCOL_VERSION

_READING_S = 90.0
"""A driver has 60 s of them to answer."""


def survey(launcher: Launcher, workers: int, parent: Mapping[str, Any], limits: Limits | None = None) -> dict[str, Any]:
    """The environment of a run of at most so many workers, as bench.measure.joint tells it.

    Each place in which the launcher starts any of them is asked once, all at the same time. Raises UsageError where
    one cannot be reached, has no TensorFlow, other code than the first, or other versions than that or the parent.
    """
    places = launcher.places(workers)
    with tempfile.TemporaryDirectory(prefix="bench-hosts-") as folder:
        sessions = {}
        try:
            for rank in places:
                sessions[rank] = WorkerSession(launcher.command_line(rank), Path(folder) / f"{rank}.log")
            answers = _answers(launcher, sessions, limits or Limits())
        finally:
            close_all(sessions.values())
    _refuse_what_cannot_train(launcher, answers, parent)
    told: list[Told] = [(places[rank], answer.environment) for rank, answer in answers.items()]
    return joint_environment(told, parent)


def _answers(launcher: Launcher, sessions: Mapping[int, WorkerSession], limits: Limits) -> dict[int, EnvironmentRead]:
    """What each says, by its rank; all have the same time, since they run side by side."""
    answers, faults = dict[int, EnvironmentRead](), list[str]()
    deadline = time.monotonic() + limits.hello_s
    for rank, session in sessions.items():
        try:
            _greet(session, max(0.0, deadline - time.monotonic()))
        except (Ended, NoAnswer, WorkerLost) as fault:
            faults.append(f"{launcher.name_of(rank)}: {fault}")
    deadline = time.monotonic() + _READING_S
    for rank, session in sessions.items() if not faults else ():
        try:
            answers[rank] = expect(session, EnvironmentRead, max(0.0, deadline - time.monotonic()))
        except (Ended, NoAnswer, WorkerLost) as fault:
            faults.append(f"{launcher.name_of(rank)}: {fault}")
    if faults:
        more = f" (and {len(faults) - 1} more of {len(sessions)})" if len(faults) > 1 else ""
        raise UsageError(f"--launcher {launcher.template}: {faults[0]}{more}")
    return answers


def _greet(session: WorkerSession, timeout_s: float) -> None:
    hello = expect(session, Hello, timeout_s)
    if hello.protocol_version != PROTOCOL_VERSION:
        told = f"speaks protocol {hello.protocol_version}, not {PROTOCOL_VERSION}"
        raise Ended("error", f"{told}: install the same version of this package there")
    session.say(AskEnvironment())


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
