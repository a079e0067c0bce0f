"""Suite and machine to an ordered list of trials."""

import random
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from bench.errors import UsageError
from bench.plan.suite import Setting, Settings, Suite, override
from bench.plan.support import Machine, unsupported_reason
from bench.store.runs import first_fault
from bench.trial import Cell, Trial

DEFAULT_CPU_REPLICAS = 2
_ORDER_SEED = 0


def plan_trials(
    suite: Suite,
    machine: Machine,
    *,
    overrides: Mapping[str, list[Setting]] | None = None,
    repeats: int | None = None,
    train_images: int,
) -> list[Trial]:
    """Expand a suite into trials in a seeded shuffled order, repeats spread over the run.

    Raises UsageError for a setting that no machine could execute (a wrong value, a batch that does not
    divide, a batch larger than the training set); what only this machine cannot do stays, with a reason.
    """
    trials: dict[str, Trial] = {}
    for settings in _expand(suite, overrides or {}):
        seed = _take_seed(suite, settings)
        cell = _cell(suite, settings, machine)
        if cell.global_batch > train_images:
            raise UsageError(
                f"{suite.name}: global_batch {cell.global_batch}: the training set has {train_images} images"
            )
        for repeat in range(repeats or suite.repeats):
            reason = unsupported_reason(cell, machine)
            trial = Trial(cell=cell, seed=seed, repeat=repeat, unsupported=reason)
            trials.setdefault(trial.trial_id, trial)
    if not trials:
        raise UsageError(f"{suite.name}: no cells; give axes or cells, or exclude less")
    return _ordered(list(trials.values()))


def _expand(suite: Suite, overrides: Mapping[str, list[Setting]]) -> list[Settings]:
    """Explicit cells, or the one default cell, over the defaults and crossed with the axes, less the excluded."""
    wanted = override([{**suite.defaults, **cell} for cell in suite.cells or [{}]], suite.axes)
    cells = override(wanted, overrides)
    return [cell for cell in cells if not any(_matches(cell, excluded) for excluded in suite.exclude)]


def _matches(cell: Settings, excluded: Settings) -> bool:
    defaults = {name: field.default for name, field in Cell.model_fields.items()} | {"seed": 0}
    full = defaults | cell
    return all(full.get(name) == value for name, value in excluded.items())


def _take_seed(suite: Suite, settings: Settings) -> int:
    seed = settings.pop("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise UsageError(f"{suite.name}: seed: {seed!r} is not a whole number from 0 on")
    return seed


def _cell(suite: Suite, settings: Settings, machine: Machine) -> Cell:
    """Settle what depends on the machine or on other settings, then validate."""
    resolved: dict[str, Any] = dict(settings)
    if resolved.get("strategy") == "mirrored" or resolved.get("replicas") == "all":
        resolved.setdefault("replicas", "all")
    if resolved.get("replicas") == "all":
        on_gpu = resolved.get("device") == "gpu"
        resolved["replicas"] = (len(machine.gpus) or 1) if on_gpu else DEFAULT_CPU_REPLICAS
    per_replica = resolved.pop("per_replica_batch", None)
    if per_replica is not None:
        if isinstance(per_replica, bool) or not isinstance(per_replica, int) or per_replica < 1:
            raise UsageError(
                f"{suite.name}: per_replica_batch: {per_replica!r} is not a whole number from 1 on"
            )
        if "global_batch" in resolved:
            raise UsageError(f"{suite.name}: give global_batch or per_replica_batch, not both")
        replicas = resolved.get("replicas", 1)
        resolved["global_batch"] = per_replica * replicas if isinstance(replicas, int) else per_replica
    try:
        return Cell.model_validate(resolved)
    except ValidationError as error:
        words = ", ".join(f"{name}={value}" for name, value in settings.items())
        raise UsageError(f"{suite.name}: {first_fault(error)} (in cell {words or 'default'})") from None


def _ordered(trials: list[Trial]) -> list[Trial]:
    """Shuffled within each repeat, so that drift of the machine falls on no cell in particular."""
    rng = random.Random(_ORDER_SEED)  # noqa: S311  # an order, not a secret
    rng.shuffle(trials)
    return sorted(trials, key=lambda trial: trial.repeat)
