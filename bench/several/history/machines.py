"""Which machine a history is of: its exact unit, or a name that the user chose among several."""

from collections.abc import Sequence

from bench.errors import UsageError, did_you_mean
from bench.several.history.past import NOT_TOLD, PastRun

_MOST_LISTED = 8


def of_one_machine(runs: Sequence[PastRun], name: str | None) -> list[PastRun]:
    """The runs of one machine in the order of time.

    NAME is an exact unit, the id of a machine class, a host, or a machine in words. Raises UsageError, with a list of
    what there is, where it fits none, and where none is given and there are several.
    """
    if name is None:
        chosen = list(runs)
        if len({unit_of(run) for run in runs}) > 1:
            raise UsageError(f"these are runs of several machines; choose with --machine NAME: {_listed(runs)}")
    else:
        chosen = [run for run in runs if name.casefold() in map(str.casefold, _names_of(run))]
        if not chosen:
            near = did_you_mean(name, {known for run in runs for known in _names_of(run)})
            raise UsageError(f"--machine {name}: no run is of that machine{near}; there are {_listed(runs)}")
    return sorted(chosen, key=lambda run: (run.began, run.name))


def unit_of(run: PastRun) -> str:
    """What tells its machine from others: the exact unit, or where that is not recorded the class and the host."""
    return run.unit or f"{run.kind} {run.host} {run.machine}"


def _names_of(run: PastRun) -> list[str]:
    names = [run.unit or NOT_TOLD, run.kind, run.host, run.machine]
    return [name for name in names if name != NOT_TOLD]


def _listed(runs: Sequence[PastRun]) -> str:
    """Each machine once with the number of its runs, those with the most first."""
    groups: dict[str, list[PastRun]] = {}
    for run in runs:
        groups.setdefault(unit_of(run), []).append(run)
    ordered = sorted(groups.values(), key=len, reverse=True)
    words = [
        f"{_names_of(group[0])[0]} ({len(group)} run{'s' * (len(group) > 1)}, {group[0].host}, {group[0].machine}"
        f"{', exact unit not recorded' * (group[0].unit is None)})"
        for group in ordered[:_MOST_LISTED]
    ]
    return ", ".join(words) + (f" and {len(ordered) - _MOST_LISTED} more" if len(ordered) > _MOST_LISTED else "")
