"""Work in a second process, which sees what lies in memory already: how a report of thousands of trials is quick."""

import multiprocessing
import sys
from collections.abc import Callable, Sized
from typing import TypeVar

T = TypeVar("T")
MANY = 2000
"""Trials; for fewer the second process is not worth it."""
_PATIENCE_S = 600.0


def worth_it(trials: Sized) -> bool:
    """Whether there is enough to do, on a system where a process of many threads may be forked."""
    return len(trials) >= MANY and sys.platform == "linux"


def beside(task: Callable[[], T]) -> Callable[[], T]:
    """Begin a task in a forked process; what is returned waits for its result, or raises what it raised.

    Only what the task returns comes back: what it changes in memory it changes for itself.
    """
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)

    def work() -> None:
        try:
            sender.send((task(), None))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is raised where the result is asked for
            sender.send((None, error))

    process = fork.Process(target=work, daemon=True)
    process.start()
    sender.close()

    def result() -> T:
        try:
            if not receiver.poll(_PATIENCE_S):
                process.kill()
                raise ChildProcessError(f"a part of the report was not done after {_PATIENCE_S:.0f} s")
            value, error = receiver.recv()
        except EOFError:
            raise ChildProcessError("the process that made a part of the report was killed") from None
        process.join()
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]  # a pipe has no types

    return result
