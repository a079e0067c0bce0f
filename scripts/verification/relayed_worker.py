"""Starts a worker whose address the others know is a relay's, so that each message to it, and each answer, is late.

    python relayed_worker.py DELAY COMMAND…

It stands between a launcher and the worker: `--launcher 'python relayed_worker.py 0.005 {command}'`. The worker's hello
names a port, which leaves here as the relay's; in the cluster that it is then told, its own entry is its own port
again, for TensorFlow serves on that. All else passes as it is, at once, and neither outlives the other. After SIGUSR1
nothing of the cluster passes any more, while connections stay open: a network that is a black hole.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NoReturn

from relay import Relay

HELLO_TOKEN = b"bench-worker-hello "


class Swap:
    """The worker's port and the relay's, put in each other's place in what passes."""

    def __init__(self, relay: Relay):
        self._relay = relay
        self._own_port: int | None = None

    def said(self, line: bytes) -> bytes:
        """A line from the worker; its hello has the relay's port, which from now on leads to the worker's."""
        noise, token, told = line.partition(HELLO_TOKEN)
        hello = json.loads(told) if token else {}
        if self._own_port is not None or hello.get("kind") != "hello":
            return line
        self._own_port = hello["port"]
        self._relay.serve(hello["port"])
        return noise + token + json.dumps(hello | {"port": self._relay.port}).encode() + b"\n"

    def told(self, line: bytes) -> bytes:
        """A line to the worker; its own entry in the cluster is the port that it named."""
        prepare = json.loads(line) if b'"prepare"' in line else {}
        place = prepare.get("place")
        if not place:
            return line
        host, _, _ = place["cluster"][place["rank"]].rpartition(":")
        place["cluster"][place["rank"]] = f"{host}:{self._own_port}"
        return json.dumps(prepare).encode() + b"\n"


def lines_of(source: int) -> Iterator[bytes]:
    """Whole lines of a descriptor, each as soon as it is there."""
    pending = b""
    while chunk := os.read(source, 65536):
        *lines, pending = (pending + chunk).split(b"\n")
        yield from (line + b"\n" for line in lines)


def hand_on(source: int, sink: int, change: Callable[[bytes], bytes]) -> None:
    """Every line of one descriptor to another, then its end."""
    with suppress(OSError):
        for line in lines_of(source):
            left = change(line)
            while left:
                left = left[os.write(sink, left) :]
    with suppress(OSError):
        os.close(sink)


def main(delay_s: float, command: Sequence[str]) -> NoReturn:
    """Stand between this process's stdin and stdout and the worker's, until the worker ends; exit with its code."""
    relay = Relay(delay_s)
    signal.signal(signal.SIGUSR1, lambda *_: relay.swallow())
    swap = Swap(relay)
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert worker.stdin is not None
    assert worker.stdout is not None
    commands = worker.stdin.fileno(), swap.told
    threading.Thread(target=hand_on, args=(sys.stdin.fileno(), *commands), daemon=True).start()
    hand_on(worker.stdout.fileno(), sys.stdout.fileno(), swap.said)
    code = worker.wait()
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
