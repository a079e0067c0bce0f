"""Suite and machine to an ordered list of trials."""

import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from bench.errors import UsageError, first_fault
from bench.plan.axes import Setting, Settings
from bench.plan.search import FIRST, ascending, with_batches
from bench.plan.suite import Suite, override
from bench.plan.support import OF_WORKERS, Machine, unsupported_reason
from bench.trial import ASYNCHRONOUS, FIRST_GPU, Cell, Trial, replicas_per_update

DEFAULT_CPU_REPLICAS = 2
_ORDER_SEED = 0
_MANY = {"mirrored", "central_storage"}
"""Strategies of as many replicas as there are devices, where a suite does not say how many."""


def plan_trials(
    suite: Suite,
    machine: Machine,
    *,
    overrides: Mapping[str, list[Setting]] | None = None,
    repeats: int | None = None,
    max_batch: bool = False,
    train_images: int,
) -> list[Trial]:
    """Expand a suite into trials in a seeded shuffled order, repeats spread over the run.

    With `max_batch` each cell's batch is replaced by those of a search, ascending, within the training set.
    Raises UsageError for a setting that no machine could execute (a wrong value, a batch that does not
    divide, a batch larger than the training set); what only this machine cannot do stays, with a reason.
    """
    trials: dict[str, Trial] = {}
    overrides = with_batches(overrides or {}, train_images) if max_batch else overrides or {}
    for settings in _counted(_expand(suite, overrides), machine):
        resolved = _resolved(suite, settings, machine)
        if any(_matches(settings, resolved, excluded) for excluded in suite.exclude):
            continue
        cell, seed = _cell(suite, settings, resolved), resolved["seed"]
        if cell.global_batch > train_images:
            if max_batch and cell.per_replica_batch > FIRST:
                continue
            raise UsageError(
                f"{suite.name}: global_batch {cell.global_batch}: the training set has only {train_images} images; "
                f"give at most that{_place(settings)}"
            )
        for repeat in range(repeats or suite.repeats):
            reason = unsupported_reason(cell, machine)
            trial = Trial(cell=cell, seed=seed, repeat=repeat, unsupported=reason)
            trials.setdefault(trial.trial_id, trial)  # what is spelled in two ways is executed once
    if not trials:
        raise UsageError(f"{suite.name}: no cells; give axes or cells, or exclude less")
    return ascending(list(trials.values())) if max_batch else _ordered(list(trials.values()))


def most_workers(suite: Suite, overrides: Mapping[str, list[Setting]]) -> int:
    """The most workers, or servers, that any cell of a suite has; no machine need be known for that.

    Both are dealt out to the hosts from the first on.
    """
    return max((_dealt_out(settings) for settings in _expand(suite, overrides)), default=1)


def _dealt_out(settings: Settings) -> int:
    served = settings.get("strategy") in ASYNCHRONOUS
    workers, servers = (int(settings.get(name, 1)) for name in ("workers", "servers"))
    return max(workers, servers) if served else workers


def _expand(suite: Suite, overrides: Mapping[str, list[Setting]]) -> list[Settings]:
    """Explicit cells, or the one default cell, over the defaults and crossed with the axes."""
    wanted = override([{**suite.defaults, **cell} for cell in suite.cells or [{}]], suite.axes)
    return override(wanted, overrides)


def _counted(cells: Iterable[Settings], machine: Machine) -> Iterator[Settings]:
    """`replicas = "doubling"` as 1, 2, 4, … and all that there are."""
    for settings in cells:
        if settings.get("replicas") != "doubling":
            yield settings
            continue
        workers = int(settings.get("workers", 1))
        most = _most_replicas(settings.get("device", Cell().device), workers, machine) // workers
        counts = {1 << power for power in range(most.bit_length())} | {most}
        yield from ({**settings, "replicas": workers * count} for count in sorted(counts))


def _most_replicas(device: Setting, workers: int, machine: Machine) -> int:
    """On GPUs, as many as there are from the first one on, for each worker on the host that has the fewest."""
    if device == "cpu":
        return DEFAULT_CPU_REPLICAS if workers == 1 else workers
    first = FIRST_GPU.fullmatch(str(device))
    left_out = int(first[1]) if first else 0
    each = min((len(host.gpus) - left_out) // len(ranks) for host, ranks in machine.shares(workers))
    return workers * max(each, 1)


def _resolved(suite: Suite, settings: Settings, machine: Machine) -> dict[str, Any]:
    """Every field of the cell and the seed, with what depends on the machine or on other settings settled."""
    resolved = {name: field.default for name, field in Cell.model_fields.items()} | {"seed": 0} | settings
    if resolved["strategy"] in OF_WORKERS and "replicas" not in settings:
        resolved["replicas"] = resolved["workers"]
    elif settings.get("replicas", "all" if resolved["strategy"] in _MANY else 1) == "all":
        resolved["replicas"] = _most_replicas(resolved["device"], resolved["workers"], machine)
    if "per_replica_batch" in settings:
        if "global_batch" in settings:
            raise UsageError(f"{suite.name}: give global_batch or per_replica_batch, not both{_place(settings)}")
        resolved["global_batch"] = resolved.pop("per_replica_batch") * _per_update(resolved)
    return resolved


def _per_update(resolved: Mapping[str, Any]) -> int:
    return replicas_per_update(resolved["strategy"], resolved["replicas"])


def _matches(settings: Settings, resolved: Mapping[str, Any], excluded: Settings) -> bool:
    """Whether every excluded setting is the cell's, as written or as resolved."""
    full = dict(resolved) | {"per_replica_batch": resolved["global_batch"] / _per_update(resolved)}
    return all(value in (full[name], settings.get(name)) for name, value in excluded.items())


def _cell(suite: Suite, settings: Settings, resolved: Mapping[str, Any]) -> Cell:
    try:
        return Cell.model_validate({name: value for name, value in resolved.items() if name != "seed"})
    except ValidationError as error:
        raise UsageError(f"{suite.name}: {first_fault(error)}{_place(settings)}") from None


def _place(settings: Settings) -> str:
    """Which of many cells an error is of, as its end."""
    words = ", ".join(f"{name}={value}" for name, value in settings.items())
    return f" (in cell {words or 'default'})"


def _ordered(trials: list[Trial]) -> list[Trial]:
    """Shuffled within each repeat, so that drift of the machine falls on no cell in particular."""
    rng = random.Random(_ORDER_SEED)  # noqa: S311  # an order, not a secret
    rng.shuffle(trials)
    return sorted(trials, key=lambda trial: trial.repeat)
