"""Work in a second process, which sees what lies in memory already: how thousands of trials are reported quickly."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence, Sized
from contextlib import suppress
from typing import TypeVar

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

    Only what the task returns comes back: what it changes in memory it changes for itself. ChildProcessError is raised
    where that process was killed, or is not done after ten minutes.
    """
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)

    def work() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends this process through the one that waits for it
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
                raise ChildProcessError(f"the second process was not done after {_PATIENCE_S:.0f} s")
            value, error = receiver.recv()
        except EOFError:
            raise ChildProcessError("the second process was killed") from None
        process.join()
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]  # a pipe has no types

    return result


def shared(own: Callable[[], S], tasks: Sequence[Callable[[], T]], *, of: Sized) -> tuple[S, list[T]]:
    """Do `own` and at most 256 tasks; where there are many trials to do it `of`, two processes share the tasks.

    A second process begins with them, this one joins it when its own is done, and each takes the next that nobody has,
    so that neither waits for longer than a task takes. Raises what any of them raises, and ChildProcessError where the
    second process is killed or stuck; it has ended then.
    """
    if not worth_it(of):
        return own(), [task() for task in tasks]
    tickets, sale = os.pipe()
    os.write(sale, bytes(range(len(tasks))))
    os.close(sale)  # so that who finds no ticket left reads the end of the file

    def taken() -> dict[int, T]:
        done = {}
        while ticket := os.read(tickets, 1):
            done[ticket[0]] = tasks[ticket[0]]()
        return done

    others = beside(taken)
    try:
        found, done = own(), taken()
    except BaseException:
        os.read(tickets, len(tasks))  # the second process finds no more to do
        with suppress(Exception):
            others()
        raise
    finally:
        os.close(tickets)
    done |= others()
    return found, [done[place] for place in range(len(tasks))]
