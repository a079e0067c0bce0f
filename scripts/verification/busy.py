"""A program that keeps one CPU busy, and knows how much it took."""

import math
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event


@contextmanager
def busy_cpu(longest_s: float) -> Iterator[Callable[[], float]]:
    """Beside the block a program spins, at most so long; what is yielded ends it and tells its CPU seconds, or NaN."""
    context = multiprocessing.get_context("spawn")
    stop, (mine, its) = context.Event(), context.Pipe()
    program = context.Process(target=_spin, args=(stop, its, os.getpid(), longest_s), daemon=True)
    program.start()
    its.close()

    def end() -> float:
        stop.set()
        return float(mine.recv()) if mine.poll(10) else math.nan

    try:
        yield end
    finally:
        program.kill()
        program.join(5)


def _spin(stop: Event, used: Connection, parent: int, longest_s: float) -> None:
    deadline = time.monotonic() + longest_s
    while not stop.is_set() and os.getppid() == parent and time.monotonic() < deadline:
        sum(range(10_000))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used.send(usage.ru_utime + usage.ru_stime)
