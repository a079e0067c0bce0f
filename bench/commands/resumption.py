"""How a stored run is finished: as it was planned, on the hosts and GPUs that it was begun on."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.commands.request import Request
from bench.errors import UsageError
from bench.host import hosts_in, uuids_in
from bench.plan.data import checked_data
from bench.store.record import SCHEMA_VERSION, RunRecord
from bench.store.runs import StoredRun

_MUST_AGREE = ("host", "cpu_model", "usable_cpus", "gpus", "packages", "git_commit")
"""A run is of one machine and one code: figures of another would stand in one table with these."""
_MUST_AGREE_WHERE_TOLD = ("code_sha256",)
"""Code may have been edited without a commit; older runs do not tell."""


def refuse_new_settings(request: Request) -> None:
    """A run is finished as it was planned: what would change the plan is refused, not ignored."""
    given = {
        "SUITE": request.suite is not None,
        "--set": bool(request.overrides),
        "--epochs": request.epochs is not None,
        "--repeats": request.repeats is not None,
        "--time-limit": request.time_limit_s is not None,
        "--target-accuracy": request.target_accuracy is not None,
        "--diagnose": request.diagnose,
        "--max-batch": request.max_batch,
        "--data": request.data is not None,
        "--dry-run": request.dry_run,
    }
    if wrong := [name for name, is_given in given.items() if is_given]:
        raise UsageError(f"--resume finishes a run as it was planned; leave out {', '.join(wrong)}")


def refuse_another_launcher(stored: StoredRun, request: Request) -> None:
    """Repeats of elsewhere would stand in one cell with these. A launcher is asked for, never executed from a file."""
    before = stored.run.launched
    if before != request.launched:
        words = " ".join(f"{name} {shlex.quote(value)}" for name, value in before.items())
        where = f"with {words}; give the same" if words else "on this machine; leave out where workers run"
        raise UsageError(f"--resume {stored.folder}: it was started {where}")


def continued(stored: StoredRun, environment: Mapping[str, Any]) -> RunRecord:
    """The plan of a stored run, once its data, its hosts and their GPUs are found to be the same still."""
    dataset = checked_data(Path(stored.run.data) if stored.run.data else None)
    if dataset.sha256 != stored.run.data_sha256:
        raise UsageError(f"--resume {stored.folder}: the data set has changed since; start a new run")
    before, now = _hosts(stored.run.environment), _hosts(environment)
    if len(before) != len(now):
        raise UsageError(
            f"--resume {stored.folder}: it ran on {len(before)} hosts, here are {len(now)}; start a new run"
        )
    if (was := _parents_commit(stored.run.environment)) != (here := _parents_commit(environment)):
        raise UsageError(f"--resume {stored.folder}: it was led by commit {was}, here it is {here}; start a new run")
    on_gpu = any(trial.cell.kind == "gpu" for trial in stored.run.trials)
    for own_before, own_now in zip(before, now, strict=True):
        _refuse_another_host(stored, own_before, own_now, several=len(now) > 1)
        if on_gpu:
            _refuse_other_gpus(stored, own_before, own_now)
    # what is appended is of the schema of today, and an older reader must be told so
    return stored.run.model_copy(update={"schema_version": SCHEMA_VERSION})


def _parents_commit(environment: Mapping[str, Any]) -> object:
    """Of the code that leads the trials, where that is not on their host."""
    parent = environment.get("parent")
    return parent.get("git_commit") if isinstance(parent, Mapping) else None


def _hosts(environment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for _, one in hosts_in(environment)] or [environment]


def _refuse_another_host(
    stored: StoredRun, before: Mapping[str, Any], now: Mapping[str, Any], *, several: bool
) -> None:
    whose = f" of {now['host']}" if several else ""
    told = [name for name in _MUST_AGREE_WHERE_TOLD if before.get(name) and now.get(name)]
    for name in (*_MUST_AGREE, *told):
        if before.get(name) != now[name]:
            words = f"{name}{whose} was {before.get(name)}, here it is {now[name]}"
            raise UsageError(f"--resume {stored.folder}: {words}; start a new run")


def _refuse_other_gpus(stored: StoredRun, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    own = uuids_in(before)
    if own != uuids_in(now):
        where = f" on {now['host']}" if "ranks" in now else ""
        raise UsageError(
            f"--resume {stored.folder}: it ran on other GPUs of this model{where}; give it these by "
            f"CUDA_VISIBLE_DEVICES={','.join(own)}, or start a new run"
        )
