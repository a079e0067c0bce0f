"""The worker's end of the conversation: commands in, answers out, a JSON line each."""

import json
import os
import platform
import socket
from typing import BinaryIO

from pydantic import BaseModel

from bench.measure.versions import package_versions
from bench.protocol import COMMANDS, HELLO_TOKEN, PROTOCOL_VERSION, AnyCommand, Hello
from bench.worker.cluster import free_port, own_address


class Channel:
    """Commands in, answers out, a JSON line each."""

    def __init__(self, commands: BinaryIO, answers: BinaryIO):
        self._commands, self._answers = commands, answers

    def greet(self) -> None:
        """Say hello, behind the token that tells the protocol from a login shell's noise."""
        hello = Hello(
            protocol_version=PROTOCOL_VERSION,
            host=socket.gethostname(),
            pid=os.getpid(),
            versions={"python": platform.python_version(), **package_versions()},
            address=own_address(),
            port=free_port(),
        )
        self._answers.write(f"{HELLO_TOKEN}{hello.model_dump_json()}\n".encode())

    def say(self, answer: BaseModel) -> None:
        """Send one answer."""
        self._answers.write(answer.model_dump_json().encode() + b"\n")

    def next_command(self) -> AnyCommand:
        """Wait for the next command; EOFError when the watchdog has closed the pipe."""
        line = self._commands.readline()
        if not line:
            raise EOFError("the parent has gone")
        return COMMANDS.validate_python(json.loads(line))
