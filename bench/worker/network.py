"""The address by which the other ranks reach this worker, and what tunes the network between them."""

import errno
import ipaddress
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psutil

from bench.protocol.variables import NETWORK_SETTINGS


class NoAddress(Exception):  # noqa: N818  # reads as what is wrong
    """The host has no address in the network that was asked for."""


def own_address() -> str:
    """The address by which others on the network reach this host; no packet is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737): any way out will do
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def find_address(network: str) -> tuple[str, str]:
    """The interface and address within `network`, an interface or CIDR; IPv4 first. Raises NoAddress."""
    found = sorted(_addresses(), key=lambda pair: ":" in pair[1])
    try:
        wanted = ipaddress.ip_network(network, strict=False)
        fitting = [pair for pair in found if ipaddress.ip_address(pair[1]) in wanted]
    except ValueError:  # no network, so an interface
        fitting = [pair for pair in found if pair[0] == network]
    if fitting:
        return fitting[0]
    there = ", ".join(f"{name} {address}" for name, address in found) or "none"
    raise NoAddress(f"--network {network}: no address in it on {socket.gethostname()}, which has {there}")


def _addresses() -> Iterator[tuple[str, str]]:
    """Interface and address of all that are up, be there a carrier yet or not; IPv6's link-local ones need a zone."""
    states, kinds = psutil.net_if_stats(), {socket.AF_INET, socket.AF_INET6}
    for name, addresses in psutil.net_if_addrs().items():
        for one in addresses:
            if one.family in kinds and "%" not in one.address and "up" in states[name].flags.split(","):
                yield name, one.address


def listening(port: int) -> socket.socket:
    """A socket on all addresses that others can connect to; nobody accepts them, the kernel answers for it."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    return socket.create_server(("", port), family=family, dualstack_ipv6=both, backlog=1024)


def unreached(addresses: Sequence[str], seconds: float, *, cut_only: bool = False) -> dict[str, str]:
    """Which of these, each with its port, cannot be connected to within so many seconds, and why.

    `cut_only` are those that no packet comes back from: neither a host that refuses, nor a fault of this one.
    """
    deadline = time.monotonic() + seconds
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        why = pool.map(partial(_why_not, deadline, cut_only), addresses)
        return {address: told for address, told in zip(addresses, why, strict=True) if told}


_AT_ONCE = 64
_CUT = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}


def _why_not(deadline: float, cut_only: bool, address: str) -> str | None:
    host, _, port = address.rpartition(":")
    why = "no answer"
    while (left := deadline - time.monotonic()) > 0:
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=left):
                return None
        except TimeoutError:
            return why
        except OSError as error:  # a refusal too: the other may listen a moment later
            if cut_only and error.errno not in _CUT:
                return None
            why = error.strerror or why
            time.sleep(min(0.1, left))
    return why


def meeting_point() -> tuple[str | None, str | None]:
    """Interface and address at which TensorFlow was told to meet the others; None for a worker on its own."""
    if (config := os.environ.get("TF_CONFIG")) is None:
        return None, None
    told = json.loads(config)
    place = told["cluster"][told["task"]["type"]][told["task"]["index"]]
    address = place.rpartition(":")[0].strip("[]")
    return next((name for name, one in _addresses() if one == address), None), address


def network_settings() -> dict[str, str]:
    """What the environment tells NCCL and gRPC."""
    return {name: value for name, value in sorted(os.environ.items()) if NETWORK_SETTINGS.fullmatch(name)}
