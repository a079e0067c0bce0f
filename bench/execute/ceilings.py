"""Leads workers that measure this machine's ceilings: a fresh one for each device and number of threads."""

from typing import get_args

from bench.execute.limits import Limits
from bench.execute.session import NoAnswer, Session, WorkerLost
from bench.execute.windows import Ended, expect
from bench.plan.support import Machine, unsupported_reason
from bench.protocol.answers import CeilingsMeasured, Hello
from bench.protocol.commands import MeasureCeilings
from bench.protocol.conversation import PROTOCOL_VERSION
from bench.trial import Cell, Device, Precision

_PATIENCE = 10.0
"""How many times as long as asked the kernels may take."""


class NoCeilings(Exception):  # noqa: N818  # reads as what happened
    """A worker did not measure what it was asked, for this reason."""


def measurements_for(machine: Machine, usable_cpus: int) -> list[MeasureCeilings]:
    """What to measure: a GPU if there is one, and the CPU with one thread and with all; what each can compute in."""
    devices: list[tuple[Device, int | None]] = [("gpu", None)] if machine.gpus else []
    devices += [("cpu", threads) for threads in sorted({1, usable_cpus})]
    return [
        MeasureCeilings(device=device, threads=threads, precisions=_precisions(device, machine))
        for device, threads in devices
    ]


def _precisions(device: Device, machine: Machine) -> list[Precision]:
    precisions: tuple[Precision, ...] = get_args(Precision)
    return [
        precision
        for precision in precisions
        if unsupported_reason(Cell(device=device, precision=precision), machine) is None
    ]


def expected_s(asked: MeasureCeilings) -> float:
    """Each precision has two kernels, then come memory and dispatch; TensorFlow's import takes some seconds."""
    return (2 * len(asked.precisions) + 2) * asked.kernel_s + 5


def lead_measurement(session: Session, asked: MeasureCeilings, limits: Limits) -> CeilingsMeasured:
    """Hear one worker's ceilings; raises NoCeilings where it fails, is late, or measured something else.

    Closes the session.
    """
    try:
        return _conversation(session, asked, limits)
    except (Ended, NoAnswer, WorkerLost) as end:
        raise NoCeilings(str(end)) from None
    finally:
        session.close()


def _conversation(session: Session, asked: MeasureCeilings, limits: Limits) -> CeilingsMeasured:
    hello = expect(session, Hello, limits.hello_s)
    if hello.protocol_version != PROTOCOL_VERSION:
        raise Ended("error", f"worker speaks protocol {hello.protocol_version}, not {PROTOCOL_VERSION}: update it")
    session.say(asked)
    kernels = 2 * len(asked.precisions) + 2
    measured = expect(session, CeilingsMeasured, limits.ready_s + _PATIENCE * kernels * asked.kernel_s)
    found = (measured.device, measured.threads, set(measured.matmul_flops_per_s), set(measured.convolution_flops_per_s))
    if found != (asked.device, asked.threads, set(asked.precisions), set(asked.precisions)):
        raise Ended("invalid", "measured on another device, with other threads or precisions than asked")
    return measured
