"""A TCP relay in user space that holds back what passes: a network of known latency on a machine that has none.

Every chunk is handed on so many seconds after it came, in order and in both directions. Chunks under way do not wait
for each other, so latency is added and bandwidth is not limited.
"""

import queue
import socket
import threading
import time
from contextlib import suppress
from typing import NamedTuple

_CHUNK_BYTES = 2**18


class _Chunk(NamedTuple):
    due_s: float
    data: bytes
    """Empty at the end of the stream."""


class Relay:
    """Listens on a free port of loopback, and joins each connection to the same port of loopback, `delay_s` away.

    A connection is closed at once where nothing listens at its other end. Its threads are daemons: they end with the
    process, or with their connections.
    """

    def __init__(self, delay_s: float):
        self._delay_s = delay_s
        self._swallows = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]

    def serve(self, target_port: int) -> None:
        """Hand on every connection from now on; those that came before have waited."""
        threading.Thread(target=self._accept, args=(target_port,), daemon=True).start()

    def swallow(self) -> None:
        """From now on hand on nothing, and close nothing: a network that is gone without a word."""
        self._swallows.set()

    def close(self) -> None:
        """Take no more connections; those that there are go on."""
        with suppress(OSError):  # or the thread that accepts would wait on
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self, target_port: int) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(caller, target_port), daemon=True).start()

    def _join(self, caller: socket.socket, target_port: int) -> None:
        try:
            called = socket.create_connection(("127.0.0.1", target_port))
        except OSError:
            caller.close()
            return
        for end in (caller, called):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ways = [
            threading.Thread(target=self._carry, args=pair, daemon=True)
            for pair in ((caller, called), (called, caller))
        ]
        for way in ways:
            way.start()
        for way in ways:
            way.join()
        caller.close()
        called.close()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        """One direction, until its source ends or its sink takes no more."""
        under_way: queue.SimpleQueue[_Chunk] = queue.SimpleQueue()
        reader = threading.Thread(target=self._receive, args=(source, under_way), daemon=True)
        reader.start()
        with suppress(OSError):
            while (chunk := under_way.get()).data:
                time.sleep(max(0.0, chunk.due_s - time.monotonic()))
                if not self._swallows.is_set():
                    sink.sendall(chunk.data)
            time.sleep(max(0.0, chunk.due_s - time.monotonic()))
            sink.shutdown(socket.SHUT_WR)
        with suppress(OSError):  # a sink that is gone is told to the source
            source.shutdown(socket.SHUT_RD)
        reader.join()

    def _receive(self, source: socket.socket, under_way: "queue.SimpleQueue[_Chunk]") -> None:
        data = b" "
        while data:
            try:
                data = source.recv(_CHUNK_BYTES)
            except OSError:
                data = b""
            under_way.put(_Chunk(time.monotonic() + self._delay_s, data))
