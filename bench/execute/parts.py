"""The hosts' parts of a trial of several ranks, and how far their clocks are apart."""

from collections.abc import Sequence
from statistics import median

from bench.host import HostPart
from bench.protocol.answers import DiagnosisBegun, Finished, WindowDone
from bench.protocol.conversation import AnyAnswer


class Clocks:
    """How far each rank's CLOCK_MONOTONIC is ahead of rank 0's, from the windows that they begin together.

    Ranks read the clock as they leave a barrier, so that what they tell of one moment differs by their clocks and by
    how late the barrier's end reached each of them: some ms on a slow network, of which the median over windows is
    taken.
    """

    def __init__(self) -> None:
        self._ahead_s: list[list[float]] = []

    def dated(self, answers: Sequence[AnyAnswer]) -> list[AnyAnswer]:
        """What all ranks told at once, its parts of hosts with the offsets of their clocks."""
        windows = [answer.start_s for answer in answers if isinstance(answer, WindowDone)]
        if windows and len(windows) == len(answers):
            self._ahead_s.append([start_s - windows[0] for start_s in windows])
        return [self._dated(rank, answer) for rank, answer in enumerate(answers)]

    def _dated(self, rank: int, answer: AnyAnswer) -> AnyAnswer:
        if isinstance(answer, DiagnosisBegun):
            return answer.model_copy(update={"so_far": self._dated(rank, answer.so_far)})
        if not isinstance(answer, Finished):
            return answer
        offset_s = {"clock_offset_s": self._offset_s(rank)}
        return answer.model_copy(
            update={"hosts": {host: part.model_copy(update=offset_s) for host, part in answer.hosts.items()}}
        )

    def _offset_s(self, rank: int) -> float | None:
        if rank == 0:
            return 0.0
        told = [ahead_s[rank] for ahead_s in self._ahead_s if rank < len(ahead_s)]
        return median(told) if told else None


def merged_parts(answers: Sequence[Finished]) -> dict[str, HostPart]:
    """The part of each host: conditions and clock of its first rank, CPU seconds of all its ranks."""
    every: dict[str, list[HostPart]] = {}
    for answer in answers:
        for host, part in answer.hosts.items():
            every.setdefault(host, []).append(part)
    return {host: parts[0].model_copy(update={"own_cpu_s": _sum(parts)}) for host, parts in every.items()}


def _sum(parts: Sequence[HostPart]) -> float | None:
    known = [part.own_cpu_s for part in parts if part.own_cpu_s is not None]
    return sum(known) if len(known) == len(parts) else None
