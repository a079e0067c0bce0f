"""How long trials will take."""

from bench.plan.estimates import Estimate, Estimates
from bench.trial import Cell

CELL = Cell(engine="fused", global_batch=64)


def learned(*took: tuple[Cell, float], budget_s: float | None = 40.0) -> Estimates:
    estimates = Estimates(budget_s)
    for cell, wall_s in took:
        estimates.add(cell, wall_s)
    return estimates


def test_own_trials_come_first() -> None:
    """The median of what trials of the very cell took, whatever others did."""
    estimates = learned((CELL, 30.0), (CELL, 10.0), (CELL, 12.0), (Cell(), 99.0))
    assert estimates.of(CELL) == Estimate(12.0, "earlier trials", 3)


def test_similar_cells_come_next_the_closest_of_them() -> None:
    """Of the same batch, engine and strategy; else of the engine; else of whatever does the same work."""
    other_batch, other_precision = Cell(engine="fused"), CELL.model_copy(update={"precision": "mixed_bfloat16"})
    took = [(Cell(), 50.0), (other_batch, 20.0), (other_precision, 10.0)]
    for known, expected in ((3, 10.0), (2, 20.0), (1, 50.0)):
        estimate = learned(*took[:known]).of(CELL)
        assert estimate == Estimate(expected, "similar cells", 1)


def test_other_work_is_not_similar() -> None:
    """Other epochs, another device or other workers say nothing."""
    others = [Cell(epochs=9), Cell(device="gpu"), Cell(workers=2, replicas=2, strategy="multi_worker_mirrored")]
    estimates = learned(*((cell, 5.0) for cell in others))
    assert estimates.of(CELL) == Estimate(40.0, "the budget", 0)


def test_without_a_budget_nothing_is_made_up() -> None:
    """What nobody has seen and nothing limits has no estimate."""
    assert learned(budget_s=None).of(CELL) is None
