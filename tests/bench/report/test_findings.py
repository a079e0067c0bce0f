"""What a run found, in sentences."""

import pytest

from bench.host import Conditions
from bench.report.account import account_of


@pytest.fixture
def found(build):
    def find(*records, ceilings=None, **run):
        cells = build.cells(*records, ceilings=ceilings)
        return {one.topic: one.sentence for one in account_of(build.run(records, **run), cells).findings}

    return find


def test_what_bounds_the_fastest_is_told_or_how_to_find_out(build, found):
    """With a diagnosis and ceilings both are figures, without them what would give them."""
    rounds = [{"as_is": 0.1, "fused": 0.09, "resident": 0.06, "communication": 0.01}] * 12
    told = found(
        build.record(step_s=[0.1] * 8, diagnosis=rounds, training_flops_per_image=25 * 10**6), ceilings=build.ceilings()
    )
    assert told["What bounds the fastest"] == (
        "Input 30 % (30–30) of its step; 25.0 % of the best matmul FLOP/s that this machine was measured to do."
    )
    told = found(build.record(step_s=[0.1] * 8))
    assert "--diagnose" in told["What bounds the fastest"]
    assert "bench env --measure" in told["What bounds the fastest"]


def test_reasons_of_failures_are_counted_and_the_rest_summed_up(build, found):
    """The most frequent reasons by name, all others as a number, and what has no record."""
    bad = [build.record(status="error", seed=seed, reason=f"reason {min(seed, 4)}") for seed in range(7)]
    planned = [*(record.trial for record in bad), build.record({"xla": True}).trial]
    told = found(*bad, trials=planned)["What failed"]
    assert told.startswith("0 of 7 recorded trials ended ok; 3 error: reason 4; 1 error: reason 0; ")
    assert told.endswith("; 2 more for other reasons; 1 planned without a record.")


@pytest.mark.parametrize(
    ("repeats", "start"),
    [
        ((1, 1), "Each cell ran in one process"),
        ((3, 3), "Every interval is between processes"),
        ((1, 3), "Of 2 timed cells 1 have an interval between processes; 1 have one within one process"),
        ((2, 3), "Of 2 timed cells 1 have an interval between processes; 1 have none, for want of windows or trials."),
    ],
)
def test_trust_is_by_what_the_intervals_are_over(build, found, repeats, start):
    """Windows of one process promise nothing of a rerun."""
    records = [
        build.record({"global_batch": batch}, step_s=[0.1 + repeat / 1000, 0.1] * 8, repeat=repeat)
        for batch, count in zip((32, 64), repeats, strict=True)
        for repeat in range(count)
    ]
    assert found(*records)["How far to trust it"].startswith(start)


def test_disturbed_trials_are_counted(build, found):
    """By the conditions before and after; where none were read, nothing is said of it."""
    before = Conditions(clock_s=0.0, cpus=2, steal_s=0.0)
    stolen, calm = (
        {"conditions_before": before, "conditions_after": Conditions(clock_s=10.0, cpus=2, steal_s=steal_s)}
        for steal_s in (2.0, 0.0)
    )
    disturbed, quiet = build.record(step_s=[0.1] * 8, **stolen), build.record(step_s=[0.1] * 8, seed=1, **calm)
    assert "1 of 2 trials were disturbed from outside" in found(disturbed, quiet)["How far to trust it"]
    assert "No trial is known to have been disturbed" in found(quiet)["How far to trust it"]
    assert "disturbed" not in found(build.record(step_s=[0.1] * 8))["How far to trust it"]


def test_a_search_has_no_fastest_cell(build, found):
    """Its batches are no rivals in speed."""
    assert "What bounds the fastest" not in found(build.record(step_s=[0.1] * 8), max_batch=True)
