"""Work shared with a second process, which sees what lies in memory: how a report of thousands of trials is quick."""

import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

T = TypeVar("T")
Results = Callable[[], list[T]]
Begin = Callable[[Sequence[Callable[[], T]]], AbstractContextManager[Results[T]]]
"""How tasks are begun: `beside` or `at_once`; all of them end with the block."""
MANY = 2000
"""Trials; for fewer the second process is not worth it."""
_PATIENCE_S = 600.0
_LATE = f"a part of the report was not done after {_PATIENCE_S:.0f} s"


def worth_it(trials: Sized) -> bool:
    """Whether there is enough to do, on a system where a process of many threads may be forked."""
    return len(trials) >= MANY and sys.platform == "linux"


@contextmanager
def at_once(tasks: Sequence[Callable[[], T]]) -> Iterator[Results[T]]:
    """The same without a second process: all is done when the results are asked for."""
    yield lambda: [task() for task in tasks]


@contextmanager
def beside(tasks: Sequence[Callable[[], T]]) -> Iterator[Results[T]]:
    """Begin at most 256 tasks in a forked process, which is gone when the block ends.

    What the block is given, to be called once, takes its share of the tasks that nobody has begun, waits for the
    others, and returns all results in order, or raises what a task raised. Only what a task returns comes back from the
    second process: what it changes in memory it changes for itself.
    """
    tickets, issuer = os.pipe()
    os.write(issuer, bytes(range(len(tasks))))
    os.close(issuer)
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)

    def taken() -> dict[int, T]:
        return {place[0]: tasks[place[0]]() for place in iter(lambda: os.read(tickets, 1), b"")}

    def work() -> None:
        receiver.close()  # so that a parent that is gone is noticed
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and ends this process
        try:
            sender.send((taken(), None))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is raised where the results are asked for
            sender.send(({}, _portable(error)))

    def results() -> list[T]:
        own = taken()
        try:
            others, error = receiver.recv() if receiver.poll(_PATIENCE_S) else ({}, TimeoutError(_LATE))
        except (EOFError, OSError):
            raise ChildProcessError("the process that made a part of the report was killed") from None
        if error is not None:
            raise error
        found: dict[int, T] = own | others
        return [found[place] for place in range(len(tasks))]

    process = fork.Process(target=work, daemon=True)
    process.start()
    sender.close()
    try:
        yield results
    finally:
        process.kill()
        process.join()
        receiver.close()
        os.close(tickets)


def _portable(error: Exception) -> Exception:
    """The error as it is where it can be sent to another process, else one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # made a moment ago, here
    except Exception:  # noqa: BLE001  # what an error's own methods do wrong is anything
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
