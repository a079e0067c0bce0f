"""The worker process: answers the parent's commands for one trial, then ends.

Nothing of TensorFlow is imported before `prepare`, because what a trial asks for (threads, devices,
switches read from the environment) must be known before its context exists.
"""

import os
import sys
import time
import traceback
from pathlib import Path

from bench.protocol import Failed, Prepare
from bench.worker.channel import Channel
from bench.worker.watchdog import die_with_parent


def main() -> None:
    """Speak on a private copy of stdout; whatever libraries print goes to stderr, the log."""
    die_with_parent()
    private = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    channel = Channel(sys.stdin.buffer, private)
    channel.greet()
    try:
        _answer_commands(channel)
    except Exception as error:  # noqa: BLE001  # whatever TensorFlow throws becomes a status on the row
        traceback.print_exc()
        channel.say(Failed(status=_status_of(error), reason=_one_line(error)))
        sys.exit(1)


def _answer_commands(channel: Channel) -> None:
    prepare = channel.next_command()
    if not isinstance(prepare, Prepare):
        raise TypeError(f"{prepare.kind} before prepare")
    began = time.monotonic()
    from bench.worker.live_trial import LiveTrial  # noqa: PLC0415  # imports TensorFlow: see the module docstring

    imported = time.monotonic()
    data = Path(prepare.data) if prepare.data else None
    LiveTrial(prepare.trial, data, channel, import_s=imported - began).train()


def _status_of(error: Exception) -> str:
    """`oom` for memory that ran out, `error` for everything else, by name: TensorFlow may not be imported."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return "oom" if names & {"ResourceExhaustedError", "MemoryError"} else "error"


def _one_line(error: Exception) -> str:
    """The kind of error and the first line of what it says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300] if lines else 'no message'}"


if __name__ == "__main__":
    main()
