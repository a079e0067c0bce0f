"""The worker process: answers the parent's commands for one trial, then ends.

Nothing of TensorFlow is imported before `prepare`, because what a trial asks for (threads, devices,
switches read from the environment) must be known before its context exists.
"""

import os
import sys
import time
import traceback
from importlib.util import find_spec
from pathlib import Path

from bench.protocol.answers import EnvironmentRead, Met
from bench.protocol.commands import AskEnvironment, MeasureCeilings, Meet, Prepare
from bench.protocol.conversation import AnyCommand
from bench.protocol.variables import IGNORED_VARIABLES, PROXIES
from bench.trial import Cell
from bench.worker.channel import Channel
from bench.worker.cluster import take_place
from bench.worker.failure import failure_of
from bench.worker.imports import import_tensorflow
from bench.worker.network import listening, unreached
from bench.worker.own_host import OwnHost
from bench.worker.placement import take_hardware
from bench.worker.watchdog import die_with_parent
from mnist_cnn.settings import FUSED_VARIABLES, ONEDNN_SWITCH


def main() -> None:
    """Speak on a private copy of stdout; whatever libraries print goes to stderr, the log."""
    die_with_parent()
    private = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    channel = Channel(sys.stdin.buffer, private)
    cell = None
    try:
        channel.greet(sys.argv[1].removeprefix("--network=") if sys.argv[1:] else None)
        prepare = _met(channel, channel.next_command())
        cell = prepare.trial.cell if isinstance(prepare, Prepare) else None
        _answer(prepare, channel)
    except Exception as error:  # noqa: BLE001  # whatever TensorFlow throws becomes a status on the row
        traceback.print_exc()
        channel.say(failure_of(error, cell))
        sys.exit(1)


def _met(channel: Channel, first: AnyCommand) -> AnyCommand:
    """Look for the other hosts where that is asked first; the command that follows, once all have looked."""
    if not isinstance(first, Meet):
        return first
    with listening(channel.port):
        channel.say(Met(unreached=unreached(first.others, first.seconds)))
        return channel.next_command()


def _answer(prepare: AnyCommand, channel: Channel) -> None:
    if isinstance(prepare, MeasureCeilings):
        _settle_environment({ONEDNN_SWITCH: "1"})
        import_tensorflow()
        from bench.worker.ceilings import measure_ceilings  # noqa: PLC0415  # imports TensorFlow: see the module docstring

        channel.say(measure_ceilings(prepare))
        return
    if isinstance(prepare, AskEnvironment):
        from bench.measure.environment import read_environment  # noqa: PLC0415  # no trial needs it

        channel.say(EnvironmentRead(environment=read_environment(), tensorflow=find_spec("tensorflow") is not None))
        return
    if not isinstance(prepare, Prepare):
        raise TypeError(f"{prepare.kind} before prepare")
    host = OwnHost()
    _settle_environment(_switches(prepare.trial.cell))
    if prepare.place is not None:
        take_place(prepare.place)
    take_hardware(prepare.trial.cell, prepare.gpus, prepare.place)
    if prepare.place is not None and "coordinator" in prepare.place.roles and prepare.place.role != "coordinator":
        import_tensorflow()
        from bench.worker.server import serve  # noqa: PLC0415  # likewise

        serve(prepare.trial.cell, prepare.place, channel, host)
        return
    began = time.monotonic()
    import_tensorflow()
    from bench.worker.live_trial import LiveTrial  # noqa: PLC0415  # likewise

    imported = time.monotonic()
    data = Path(prepare.data) if prepare.data else None
    LiveTrial(prepare.trial, data, channel, import_s=imported - began, host=host).train()


def _switches(cell: Cell) -> dict[str, str]:
    """Values of TensorFlow's switches; one that is not here is left to the shell, and then to TensorFlow."""
    fused = FUSED_VARIABLES if cell.kind == "cpu" and cell.engine == "fused" else {}
    unasked = {name: value for name, value in fused.items() if name not in os.environ}
    return unasked if cell.onednn == "default" else {**unasked, ONEDNN_SWITCH: "1" if cell.onednn == "on" else "0"}


def _settle_environment(switches: dict[str, str]) -> None:
    """Let the trial alone decide: nothing of the user's shell may change what runs behind the read-back."""
    os.environ.update(switches)
    for name in IGNORED_VARIABLES & set(os.environ):
        value = os.environ.pop(name)
        told = name if name in PROXIES else f"{name}={value}"  # a proxy's may hold a password
        print(f"{told} is ignored: the trial's settings decide", file=sys.stderr)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # warnings and errors only
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # as NVML counts


if __name__ == "__main__":
    main()
