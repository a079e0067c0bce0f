"""The relay that adds latency between workers, and the worker behind it."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.protocol.conversation import HELLO_TOKEN

FOLDER = Path(__file__).parents[2] / "scripts" / "verification"
RELAYED_WORKER = [sys.executable, str(FOLDER / "relayed_worker.py")]
DELAY_S = 0.15


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets, connection after connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                with caller:
                    while chunk := caller.recv(65536):
                        caller.sendall(chunk)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Makes relays, which take no more connections when the test is over."""
    monkeypatch.syspath_prepend(str(FOLDER))
    from relay import Relay  # noqa: PLC0415  # the script's modules lie beside each other

    made = []

    def make(delay_s: float, target_port: int) -> Any:
        made.append(Relay(delay_s))
        made[-1].serve(target_port)
        return made[-1]

    yield make
    for one in made:
        one.close()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def read(end: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size and (chunk := end.recv(size - len(found))):
        found += chunk
    return found


def test_each_way_is_late(echo: int, relay: Callable[..., Any]) -> None:
    """What is sent comes back after two delays at the earliest."""
    with connect(relay(DELAY_S, echo).port) as end:
        began = time.monotonic()
        end.sendall(b"word")
        assert read(end, 4) == b"word"
        assert time.monotonic() - began >= 2 * DELAY_S


def test_what_is_under_way_does_not_wait_for_each_other(echo: int, relay: Callable[..., Any]) -> None:
    """Forty messages that follow each other closely take far less than their delays one after the other."""
    with connect(relay(DELAY_S, echo).port) as end:
        began = time.monotonic()
        for _ in range(40):
            end.sendall(b"word")
            time.sleep(0.005)  # or they would be read as one
        assert read(end, 160) == b"word" * 40
        assert time.monotonic() - began < 40 * 2 * DELAY_S / 2


@pytest.mark.parametrize("delay_s", [0.0, 0.02])
def test_bytes_keep_their_order(echo: int, relay: Callable[..., Any], delay_s: float) -> None:
    """Two megabytes, sent while they come back, are the same; the end of one direction leaves the other open."""
    data = os.urandom(2_000_000)
    with connect(relay(delay_s, echo).port) as end:

        def send() -> None:
            end.sendall(data)
            end.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        assert read(end, len(data)) == data
        assert end.recv(1) == b""
        sender.join()


def test_nobody_at_the_other_end(relay: Callable[..., Any]) -> None:
    """The connection is closed, as if it had been refused."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    with connect(relay(0.0, free).port) as end:
        assert end.recv(1) == b""


FAKE_WORKER = """
import json, os, sys
print("welcome to this host")
print(sys.argv[1] + json.dumps({"kind": "hello", "port": int(sys.argv[2]), "pid": os.getpid()}), flush=True)
for line in sys.stdin:
    print(line, end="", flush=True)
    if '"finish"' in line:
        sys.exit(7)
"""
Talk = tuple["subprocess.Popen[str]", dict[str, Any]]


@pytest.fixture
def talk(echo: int) -> Iterator[Talk]:
    """A relayed worker that says what it hears, and names the echo's port as its own; and its hello."""
    words = [*RELAYED_WORKER, str(DELAY_S), sys.executable, "-c", FAKE_WORKER, HELLO_TOKEN, str(echo)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "welcome to this host\n"
            yield process, json.loads(process.stdout.readline().removeprefix(HELLO_TOKEN))
        finally:
            process.kill()


def answer(process: "subprocess.Popen[str]", line: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return process.stdout.readline().removesuffix("\n")


def test_others_reach_the_worker_through_the_relay(talk: Talk, echo: int) -> None:
    """The port in the hello is the relay's, and the relay leads to the port that the worker named."""
    _, hello = talk
    assert hello["port"] != echo
    with connect(hello["port"]) as end:
        end.sendall(b"word")
        assert read(end, 4) == b"word"


def test_the_worker_serves_on_its_own_port(talk: Talk, echo: int) -> None:
    """In the cluster that it is told its own entry is the port that it named, the others' are as they were."""
    process, hello = talk
    place = {"cluster": [f"127.0.0.1:{port}" for port in (4711, hello["port"])], "rank": 1}
    told = json.loads(answer(process, json.dumps({"kind": "prepare", "place": place, "gpus": []})))
    assert told == {
        "kind": "prepare",
        "gpus": [],
        "place": place | {"cluster": ["127.0.0.1:4711", f"127.0.0.1:{echo}"]},
    }


@pytest.mark.parametrize("line", ["ping", '{"kind":"window","steps":3}', '{"kind": "prepare", "place": null}'])
def test_all_else_passes_as_it_is(talk: Talk, line: str) -> None:
    """Pings too, at once: the watchdog waits for them."""
    assert answer(talk[0], line) == line


def test_ends_with_the_workers_code(talk: Talk) -> None:
    """Whoever waits for the wrapper hears how the worker ended."""
    assert answer(talk[0], '{"kind":"finish"}')
    assert talk[0].wait(10) == 7


@pytest.mark.parametrize("end", ["closed", "killed"])
def test_the_worker_does_not_outlive_it(talk: Talk, end: str) -> None:
    """The worker's stdin ends where the parent closes its own, and where the wrapper is killed."""
    process, hello = talk
    worker = psutil.Process(hello["pid"])
    assert process.stdin is not None
    process.stdin.close() if end == "closed" else process.kill()
    worker.wait(10)  # raises where it lives on
    assert process.wait(10) == (0 if end == "closed" else -9)
