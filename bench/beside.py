"""Work in a second process, which sees what lies in memory already: how a report of thousands of trials is quick."""

import multiprocessing
import sys
import threading
from collections.abc import Callable, Iterator, Sequence, Sized
from typing import Any, TypeVar

S = TypeVar("S")
T = TypeVar("T")
MANY = 2000
"""Trials; for fewer the second process is not worth it."""
_PATIENCE_S = 600.0


def may_fork() -> bool:
    """Whether a second process can begin as a copy of this one: on Linux, while no other thread of Python runs here."""
    return sys.platform == "linux" and threading.active_count() == 1


def worth_it(trials: Sized) -> bool:
    """Whether there is enough to do."""
    return len(trials) >= MANY and may_fork()


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


def shared(own: Callable[[], S], tasks: Sequence[Callable[[], T]], *, of: Sized) -> tuple[S, list[T]]:
    """Do `own` and all tasks; where there are many trials to do it `of`, two processes share the tasks.

    The second one takes them from the last on, this one, when its own is done, from the first on, until they meet. So
    nobody waits longer than a task takes, however long each is.
    """
    if not worth_it(of):
        return own(), [task() for task in tasks]
    left: Any = multiprocessing.get_context("fork").Array("i", [0, len(tasks)])

    def taken(*, last: bool) -> Iterator[tuple[int, T]]:
        while True:
            with left.get_lock():
                begin, end = left
                if begin == end:
                    return
                left[last] += -1 if last else 1
            place = end - 1 if last else begin
            yield place, tasks[place]()

    others = beside(lambda: dict(taken(last=True)))
    found = own()
    done = dict(taken(last=False)) | others()
    return found, [done[place] for place in range(len(tasks))]
