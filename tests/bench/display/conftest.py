"""`bench run` in a real pseudo-terminal whose screen can be read, with workers that train nothing."""

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest

FAKE_WORKER = Path(__file__).parent / "fake_worker.py"
LEAVE_ALT_SCREEN = b"\x1b[?1049l"
CTRL_C = b"\x03"
_OF_TERMINALS = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


class Terminal:
    """A process in a terminal of its own; `written` is all that it wrote, `screen` what a person sees of it."""

    def __init__(self, command: list[str], columns: int, lines: int, variables: dict[str, str]):
        self._master, slave = os.openpty()
        self.written, self.screen = b"", pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.resize(columns, lines)
        clean = {name: value for name, value in os.environ.items() if name not in _OF_TERMINALS}
        # who opens a terminal as the leader of a new session is interrupted by its Ctrl-C
        opened = ["sh", "-c", 'exec "$@" <"$TTY" >"$TTY" 2>&1', "sh", *command]
        whole = clean | {"TERM": "xterm-256color", "TTY": os.ttyname(slave)} | variables
        self.process = subprocess.Popen(opened, env=whole, start_new_session=True)
        self._slave = slave  # kept open, so that what was written last can still be read when the process is gone

    def resize(self, columns: int, lines: int) -> None:
        self.screen.resize(lines, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, key: bytes) -> None:
        os.write(self._master, key)

    @property
    def shown(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def watch_until(self, condition: Callable[[str], bool], at_most_s: float = 30.0) -> str:
        """Follow the screen until it shows what is waited for, and return it."""
        deadline = time.monotonic() + at_most_s
        while not condition(self.shown):
            assert time.monotonic() < deadline, f"waited in vain; the screen is\n{self.shown}"
            self._read(0.05)
        return self.shown

    def end(self, at_most_s: float = 30.0) -> int:
        """Follow the screen until the process ends; returns its exit code."""
        deadline = time.monotonic() + at_most_s
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end; the screen is\n{self.shown}"
            self._read(0.05)
        while self._read(0.0):
            pass
        return self.process.returncode

    @property
    def left_behind(self) -> str:
        """What stands on the screen once the live display has left it."""
        return self.written.rpartition(LEAVE_ALT_SCREEN)[2].decode()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._slave)
        os.close(self._master)

    def _read(self, patience_s: float) -> bool:
        if not select.select([self._master], [], [], patience_s)[0]:
            return False
        written = os.read(self._master, 65_536)
        self.written += written
        self._stream.feed(written)
        return True


@pytest.fixture
def run_words(tmp_path: Path) -> Callable[..., list[str]]:
    """The command of a run of a suite's text with fake workers, into tmp_path/out."""

    def words(suite: str, *options: str) -> list[str]:
        path = tmp_path / "suite.toml"
        path.write_text(f'name = "t"\n{suite}')
        launcher = f"{sys.executable} {FAKE_WORKER} {{command}}"
        run = ["run", str(path), "--out", str(tmp_path / "out"), "--launcher", launcher, *options]
        return [sys.executable, "-m", "bench.cli", *run]

    return words


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    """Starts a command in a terminal of so many columns and lines."""
    started: list[Terminal] = []

    def start(command: list[str], columns: int = 80, lines: int = 24, **variables: str) -> Terminal:
        started.append(Terminal(command, columns, lines, variables))
        return started[-1]

    yield start
    for one in started:
        one.close()
