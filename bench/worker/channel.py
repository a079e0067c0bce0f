"""The worker's end of the conversation: commands in, answers out, a JSON line each."""

import json
import os
import platform
import socket
import sys
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel

from bench.measure.cpus import cpu_words, usable_cpus
from bench.measure.versions import package_versions
from bench.measure.workload import tree_sha256, workload_folder
from bench.protocol.answers import Failed, Hello, Workload
from bench.protocol.conversation import COMMANDS, HELLO_TOKEN, PROTOCOL_VERSION, AnyCommand
from bench.worker.cluster import free_port
from bench.worker.network import NoAddress, find_address, own_address


class Channel:
    """Commands in, answers out, a JSON line each."""

    def __init__(self, commands: BinaryIO, answers: BinaryIO):
        self._commands, self._answers = commands, answers
        self.port = 0
        """The port that was told in the hello."""

    def greet(self, network: str | None = None) -> None:
        """Say hello, behind the token that tells the protocol from a login shell's noise.

        Where this host has no address in the `network`, that is the first and last word.
        """
        try:
            self._begin(self._hello(network))
        except NoAddress as error:
            self._begin(Failed(status="error", reason=str(error)))
            sys.exit(1)

    def _begin(self, first: BaseModel) -> None:
        self._answers.write(f"{HELLO_TOKEN}{first.model_dump_json()}\n".encode())

    def _hello(self, network: str | None) -> Hello:
        interface, address = find_address(network) if network else (None, own_address())
        folder, self.port = workload_folder(), free_port()
        return Hello(
            protocol_version=PROTOCOL_VERSION,
            host=socket.gethostname(),
            pid=os.getpid(),
            versions={"python": platform.python_version(), **package_versions()},
            address=address,
            interface=interface,
            port=self.port,
            cpus=cpu_words(sorted(usable_cpus())),
            workload=Workload(
                folder=str(folder), sha256=tree_sha256(folder), worker_sha256=tree_sha256(Path(__file__).parent)
            ),
        )

    def say(self, answer: BaseModel) -> None:
        """Send one answer."""
        self._answers.write(answer.model_dump_json().encode() + b"\n")

    def next_command(self) -> AnyCommand:
        """Wait for the next command; EOFError when the watchdog has closed the pipe."""
        line = self._commands.readline()
        if not line:
            raise EOFError("the parent has gone")
        return COMMANDS.validate_python(json.loads(line))
