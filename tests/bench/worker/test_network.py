"""The address a worker tells the others: on the network that was asked for, or a clear word that there is none."""

import json
import os
import socket
import sys
from pathlib import Path

import psutil
import pytest

from bench.execute.session import WorkerSession, worker_command
from bench.protocol.answers import EnvironmentRead, Failed, Hello, Met
from bench.protocol.commands import AskEnvironment, Meet, Place
from bench.worker.cluster import take_place
from bench.worker.network import NoAddress, find_address, meeting_point, network_settings

LOOPBACK = next(
    name for name, found in psutil.net_if_addrs().items() if any(one.address == "127.0.0.1" for one in found)
)


@pytest.mark.parametrize("network", ["127.0.0.0/8", "127.0.0.1", "127.0.0.1/8", LOOPBACK])
def test_network_picks_the_address(network: str) -> None:
    """A CIDR, an address in it, and an interface's name all find the loopback."""
    assert find_address(network) == (LOOPBACK, "127.0.0.1")


@pytest.mark.parametrize("network", ["198.51.100.0/24", "nosuch0", "2001:db8::/32"])
def test_no_address_in_the_network(network: str) -> None:
    """One line names what was asked, the host, and what it has instead."""
    with pytest.raises(NoAddress) as caught:
        find_address(network)
    told = str(caught.value)
    assert told.startswith(f"--network {network}: no address in it on {socket.gethostname()}, which has ")
    assert f"{LOOPBACK} 127.0.0.1" in told


@pytest.mark.parametrize("network", [LOOPBACK, "198.51.100.0/24"])
def test_worker_greets_with_its_address_or_says_why_not(network: str, tmp_path: Path) -> None:
    """A real worker told of a network announces its address there, or fails in place of its hello."""
    session = WorkerSession(worker_command(sys.executable, network), tmp_path / "log")
    try:
        answer = session.hear(30)
    finally:
        session.close()
    if network == LOOPBACK:
        assert isinstance(answer, Hello)
        assert (answer.interface, answer.address) == (LOOPBACK, "127.0.0.1")
    else:
        assert isinstance(answer, Failed)
        assert answer.reason.startswith("--network 198.51.100.0/24: no address in it")


def test_place_is_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is recorded is what TensorFlow and NCCL were told, with the user's own word first."""
    for name in ("TF_CONFIG", "NCCL_SOCKET_IFNAME", "GRPC_VERBOSITY"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    assert meeting_point() == (None, None)
    take_place(Place(cluster=["198.51.100.1:1", "127.0.0.1:2"], rank=1, interface=LOOPBACK))
    assert meeting_point() == (LOOPBACK, "127.0.0.1")
    assert network_settings()["NCCL_SOCKET_IFNAME"] == f"={LOOPBACK}"
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "mine")
    monkeypatch.setenv("GRPC_VERBOSITY", "debug")
    take_place(Place(cluster=["[::1]:1"], rank=0, interface="other"))
    assert meeting_point()[1] == "::1"
    assert network_settings() == {"GRPC_VERBOSITY": "debug", "NCCL_SOCKET_IFNAME": "mine"}


def test_cluster_of_a_coordinator(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow is told its own names for what ranks do, each rank its number among its like."""
    monkeypatch.setenv("TF_CONFIG", "")
    roles = ["coordinator", "worker", "worker", "server"]
    place = Place.model_validate({"cluster": ["a:1", "b:2", "c:3", "d:4"], "roles": roles, "rank": 2})
    take_place(place)
    told = json.loads(os.environ["TF_CONFIG"])
    assert told["cluster"] == {"chief": ["a:1"], "worker": ["b:2", "c:3"], "ps": ["d:4"]}
    assert told["task"] == {"type": "worker", "index": 1}


def test_workers_find_each_other_and_miss_who_is_not_there(tmp_path: Path) -> None:
    """Two real workers listen on their hellos' ports while they look for each other and for a port that nobody has."""
    sessions = [WorkerSession(worker_command(sys.executable), tmp_path / f"{number}") for number in (0, 1)]
    try:
        hellos = [session.hear(30) for session in sessions]
        at = [f"127.0.0.1:{hello.port}" for hello in hellos if isinstance(hello, Hello)]
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            gone = f"127.0.0.1:{nobody.getsockname()[1]}"
            for session, other in zip(sessions, reversed(at), strict=True):
                session.say(Meet(others=[other, gone], seconds=1.0))
            met = [session.hear(20) for session in sessions]
        for session in sessions:
            session.say(AskEnvironment())
        read = [session.hear(60) for session in sessions]
    finally:
        for session in sessions:
            session.close()
    assert met == [Met(unreached={gone: "Connection refused"})] * 2
    assert all(isinstance(one, EnvironmentRead) for one in read)
