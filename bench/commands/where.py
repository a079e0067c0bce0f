"""Where a run trains: on this machine or on the hosts of a launcher, what those are, and who else uses their GPUs."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bench.errors import UsageError
from bench.execute.launchers import Launcher
from bench.execute.survey import survey
from bench.host import hosts_in, named_hosts
from bench.measure.environment import read_environment, spoilers
from bench.measure.joint import differences
from bench.plan.support import machine_of, own_gpus
from bench.store.record import RunRecord
from bench.trial import Trial

_MOST_NAMED = 4


def environment_of(launcher: Launcher, workers: int) -> dict[str, Any]:
    """That of this machine, or of the hosts that so many workers start on; UsageError where one does not answer."""
    here = read_environment()
    if launcher.here and launcher.network is None:
        return here
    asked = survey(launcher, workers, here)  # here too: whether the network is there, a worker tells
    return here if launcher.here else asked


def first_lines(run: RunRecord, environment: Mapping[str, Any]) -> Iterator[str]:
    """Where the suite runs, and then what may spoil it."""
    yield _where(run, environment)
    yield from (f"Caution: {line}" for line in differences(environment))
    for host, one in named_hosts(environment) or [("", dict(environment))]:
        yield from (f"Caution: {host}{': ' * bool(host)}{line}" for line in spoilers(one))


def _where(run: RunRecord, environment: Mapping[str, Any]) -> str:
    machine = machine_of(environment)
    on_gpu = any(trial.cell.kind == "gpu" and not trial.unsupported for trial in run.trials)
    hosts = named_hosts(environment)
    devices = [_devices(one, on_gpu=on_gpu) for _, one in hosts or [("", dict(environment))]]
    told = (
        [f"{host}: {what}" for (host, _), what in zip(hosts, devices, strict=True)][:_MOST_NAMED] if hosts else devices
    )
    more = f" and {len(hosts) - _MOST_NAMED} more hosts" if len(hosts) > _MOST_NAMED else ""
    no_gpu = "" if machine.gpus else f" ({machine.no_gpu_reason})"
    return f"Suite {run.suite}, {len(run.trials)} trials on {'; '.join(told)}{more}{no_gpu}"


def _devices(environment: Mapping[str, Any], *, on_gpu: bool) -> str:
    if on_gpu:
        return f"GPUs: {', '.join(environment['gpus'])}"
    return f"CPU: {environment['cpu_model']}, {environment['usable_cpus']} CPUs"


def refuse_busy_gpus(trials: Iterable[Trial], environment: Mapping[str, Any]) -> None:
    """Raise UsageError where others compute on the GPUs; nobody's process is ended for it."""
    machine = machine_of(environment)
    cells = [trial.cell for trial in trials if trial.cell.kind == "gpu" and not trial.unsupported]
    taken = [own_gpus(cell, machine) for cell in cells]
    # where UUIDs are not told, any GPU may be one that is taken
    own = {uuid for uuids in taken for uuid in uuids or [""]}
    hosts = [(f" on {one['host']}", one) for _, one in hosts_in(environment)] or [("", dict(environment))]
    busy = [f"{line}{on}" for on, one in hosts for line in one["gpu_processes"] if any(uuid in line for uuid in own)]
    if busy:
        raise UsageError(
            f"the GPUs are in use by process {', '.join(busy)}: wait for them, choose others with "
            "CUDA_VISIBLE_DEVICES, or give --allow-busy"
        )
