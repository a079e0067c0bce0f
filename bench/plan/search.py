"""The search for the largest batch that trains: every cell at powers of two, ascending."""

from collections.abc import Mapping

from bench.errors import UsageError
from bench.plan.axes import Setting
from bench.plan.suite import Suite
from bench.trial import Cell, Trial

FIRST = 64
"""Per replica: where a search begins."""
TRIAL_S = 5.0
"""Of training in a trial that is to tell only whether it trains, and about how fast."""


def with_batches(overrides: Mapping[str, list[Setting]], train_images: int) -> dict[str, list[Setting]]:
    """Overrides that put every cell at every power of two per replica from FIRST on that one replica could fill.

    Raises UsageError for overrides that say otherwise.
    """
    if wrong := {"global_batch", "per_replica_batch", "epochs"} & overrides.keys():
        raise UsageError(
            f"--max-batch sets {', '.join(sorted(wrong))} itself: batches of {FIRST}, {2 * FIRST}, {4 * FIRST} … per "
            f"replica up to the training set, no whole epoch; leave {'it' if len(wrong) == 1 else 'them'} out"
        )
    powers = [2**exponent for exponent in range(FIRST.bit_length() - 1, max(train_images, FIRST).bit_length())]
    return {**overrides, "per_replica_batch": list(powers), "epochs": [0]}


def trial_budget_s(suite: Suite, *, max_batch: bool) -> float | None:
    """What a suite allows a trial; in a search that it was not written for, the little that a search needs."""
    if not max_batch:
        return suite.budget.trial_s
    return (suite.budget.trial_s if suite.max_batch else None) or TRIAL_S


def ascending(trials: list[Trial]) -> list[Trial]:
    """Cell by cell, the batches of each ascending; the order of cells is that of hashes, as good as shuffled."""
    return sorted(trials, key=lambda one: (one.repeat, one.seed, _first(one.cell).cell_id, one.cell.global_batch))


def _first(cell: Cell) -> Cell:
    """The cell at the batch that its search begins with."""
    return cell.at_batch(FIRST * cell.replicas_per_update)
