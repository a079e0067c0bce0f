"""A process without TensorFlow that reads every GPU ten times a second until it is ended; its stdout is the telemetry.

    python -P -m bench.worker.sampler UUID...

Lines are JSON. The first says which host's GPUs and which columns follow, or why there are none; then comes a list per
GPU and tick: seconds of CLOCK_MONOTONIC, the GPU's place in the first line, the columns. Objects in between tell, once
a second, which processes have how much of a GPU, what the sampling itself took, and of a GPU that it is lost. Under
the same watchdog as a worker it outlives nobody.
"""

import json
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pynvml

from bench.measure.nvml import Handle, Lost, Reading, handle_of, open_nvml, processes, read, words
from bench.worker.watchdog import die_with_parent

PERIOD_S = 0.1
ASIDE_EVERY_S = 1.0


def main(uuids: Sequence[str]) -> None:
    """Sample the GPUs with these UUIDs for ever."""
    die_with_parent()
    try:
        open_nvml()
    except pynvml.NVMLError as error:
        tell({"host": socket.gethostname(), "gpus": [], "reason": words(error)})
        return
    tell({"host": socket.gethostname(), "gpus": list(uuids), "columns": Reading._fields, "period_s": PERIOD_S})
    handles: dict[int, Handle] = {}
    for place, uuid in enumerate(uuids):
        try:
            handles[place] = handle_of(uuid)
        except (pynvml.NVMLError, Lost) as error:
            tell({"lost": place, "at_s": round(time.monotonic(), 4), "reason": words(error)})
    with suppress(BrokenPipeError, KeyboardInterrupt):
        sample(handles, tell)


def sample(
    handles: dict[int, Handle],
    tell: Callable[[Any], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Tell a reading of each GPU every PERIOD_S, on a fixed beat, until no GPU is left.

    Traffic is asked of one GPU a beat and of each once in ASIDE_EVERY_S: the driver watches PCIe for 40 ms before it
    answers, and eight GPUs in one beat would cost three.
    """
    began = due = clock()
    aside, cpu_s = began, time.process_time()
    watched = dict.fromkeys(handles, began - ASIDE_EVERY_S)
    while handles:
        speaks = clock() >= aside
        turn = min(handles, key=watched.__getitem__)
        if clock() - watched[turn] < ASIDE_EVERY_S:
            turn = -1
        for place, handle in list(handles.items()):
            try:
                if place == turn:
                    watched[place] = clock()
                tell([round(clock(), 4), place, *read(handle, traffic=place == turn)])
                if speaks:
                    tell({"processes": place, "at_s": round(clock(), 4), "of": processes(handle)})
            except Lost as lost:
                tell({"lost": place, "at_s": round(clock(), 4), "reason": str(lost)})
                del handles[place]
        if speaks:
            aside = clock() + ASIDE_EVERY_S
            tell({"cpu_s": round(time.process_time() - cpu_s, 3), "span_s": round(clock() - began, 3)})
        # a beat that was missed is left out: sampling faster afterwards would weigh that moment more
        due += PERIOD_S * max(1, -(-(clock() - due) // PERIOD_S))
        sleep(max(0.0, due - clock()))


def tell(what: Any) -> None:
    """One JSON line, flushed: the reader may be ended at any moment."""
    print(json.dumps(what, separators=(",", ":")), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
