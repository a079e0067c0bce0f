"""Which cell a report may call the fastest or the most accurate."""

import pytest

from bench.report.ranking import accuracy_finding, beaten, fastest

UNEVEN = [0.099, 0.099, 0.101, 0.101] * 4


@pytest.fixture
def processes(build):
    """Three trials of a cell, `spread` apart, each so many times as long as the default."""

    def make(cell, times, spread=0.001):
        scales = [times * (1 + spread * repeat) for repeat in range(3)]
        return [
            build.record(cell, repeat=repeat, step_s=[scale * step_s for step_s in UNEVEN])
            for repeat, scale in enumerate(scales)
        ]

    return make


@pytest.fixture
def finding(build):
    """What is said of cells given by their test accuracies, one for each seed."""

    def say(**accuracies):
        trials = [
            build.record({"engine": engine}, seed=seed, accuracies=[accuracy])
            for engine, seeds in accuracies.items()
            for seed, accuracy in enumerate(seeds)
        ]
        cells = build.cells(*trials)
        return accuracy_finding(cells, {cell.cell.cell_id: cell.cell.engine for cell in cells})

    return say


def test_fastest_of_one_trial_each_is_that_of_one_run(build):
    """Intervals within a process tell nothing of a rerun, so no rival is counted by them."""
    fast, near = build.record(step_s=UNEVEN), build.record({"xla": True}, step_s=[step_s * 1.005 for step_s in UNEVEN])
    found = fastest(build.cells(near, fast))
    assert (found.cell.cell.label, found.claim, found.doubt) == ("default", "fastest in this one run", "")


def test_fastest_of_several_processes_is_told_with_its_rivals(build, processes):
    """An interval between processes that reaches into the fastest one's is no difference shown."""
    found = fastest(build.cells(*processes({}, 1), *processes({"xla": True}, 1.001), *processes({"engine": "fit"}, 3)))
    assert (found.cell.cell.label, found.claim) == ("default", "fastest")
    assert found.doubt == ", not told apart from 1 other"


def test_one_cell_of_a_single_trial_makes_it_a_finding_of_one_run(build, processes):
    """How far a rerun of that cell would lie from it is unknown, whatever is known of the others."""
    found = fastest(build.cells(*processes({}, 1), build.record({"engine": "fit"}, step_s=[0.3, 0.31] * 8)))
    assert (found.claim, found.doubt) == ("fastest in this one run", "")


def test_what_cannot_be_ranked_is_never_fastest(build):
    """Failed trials, too few windows, two processes, and replicas on shared cores are no measure of speed."""
    ranked = build.record({"engine": "fit"}, step_s=UNEVEN)
    others = [
        build.record({"engine": "fused"}, status="oom", step_s=[0.01] * 8),
        build.record({"xla": True}, step_s=[0.01] * 3),
        *(build.record(step_s=[0.01] * 8, repeat=repeat) for repeat in range(2)),
        build.record({"strategy": "mirrored", "replicas": 2}, step_s=[0.01] * 8),
    ]
    found = fastest(build.cells(ranked, *others))
    assert found.cell.cell.label == "engine=fit"
    assert found.doubt == "; 2 more, perhaps as fast, cannot be ranked"
    assert fastest(build.cells(*others)) is None


def test_seeds_that_lie_apart_show_the_most_accurate(finding):
    """Leads of 1 and 2 percentage points, with standard deviations of 0.1 each."""
    said = finding(step=[0.989, 0.990, 0.991], fit=[0.979, 0.980, 0.981], fused=[0.969, 0.970, 0.971])
    assert said == "most accurate: step, 99.00 % after 1 epoch"


def test_the_most_accurate_is_told_with_its_rivals(finding):
    """One cell is shown to be behind; of another, a single seed shows nothing."""
    said = finding(step=[0.99] * 3, fit=[0.98] * 3, fused=[0.97])
    assert said == "most accurate: step, 99.00 % after 1 epoch, not told apart from 1 other"


@pytest.mark.parametrize(
    ("accuracies", "said"),
    [
        pytest.param({"step": [0.98], "fit": [0.99]}, "98.00 to 99.00 % after 1 epoch, one seed each", id="one seed"),
        pytest.param(
            {"step": [0.98] * 2, "fit": [0.99] * 2}, "98.00 to 99.00 % after 1 epoch, 2 seeds each", id="two seeds"
        ),
        pytest.param(
            {"step": [0.986, 0.988, 0.990], "fit": [0.985, 0.986, 0.987]},
            "98.60 to 98.80 % after 1 epoch, 3 seeds each",
            id="lead within the spread",
        ),
        pytest.param({"step": [0.98], "fit": [0.98]}, "98.00 % after 1 epoch, one seed each", id="equal"),
    ],
)
def test_accuracies_that_seeds_do_not_tell_apart_are_a_range(finding, accuracies, said):
    """Without three seeds each, or with a lead within the two standard deviations, no cell is named."""
    assert finding(**accuracies) == f"test accuracy {said}: no ranking"


def test_accuracy_of_a_single_cell_is_said_without_a_rank(finding):
    """There is nothing that it could be ranked against."""
    assert finding(step=[0.98]) == "test accuracy 98.00 % after 1 epoch, one seed"
    assert finding(step=[0.97, 0.98, 0.99]) == "test accuracy 98.00 % after 1 epoch, 3 seeds"


def test_accuracies_of_other_epochs_say_so(build):
    """One cell was trained for one epoch, the other for two."""
    cells = build.cells(build.record(accuracies=[0.97]), build.record({"xla": True}, accuracies=[0.97, 0.98]))
    assert "after 1 to 2 epochs" in accuracy_finding(cells, {})


@pytest.mark.parametrize(
    ("times", "accuracy", "seeds", "spread", "behind"),
    [
        (1.5, 0.97, 3, 0.001, True),
        (1.5, 0.99, 3, 0.001, False),
        (0.9, 0.97, 3, 0.001, False),
        (1.005, 0.97, 3, 0.02, False),
        (1.5, 0.97, 2, 0.001, False),
    ],
    ids=["behind in both", "as accurate", "faster", "speeds overlap", "two seeds"],
)
def test_a_cell_is_beaten_only_where_both_are_told_apart(build, times, accuracy, seeds, spread, behind):
    """By speed between processes and by accuracy over three seeds or more."""
    trials = [
        build.record(
            cell,
            seed=seed,
            step_s=[scale * (1 + spread * seed) * step_s for step_s in UNEVEN],
            accuracies=[top + 0.0005 * seed],
        )
        for cell, scale, top in (({}, 1.0, 0.99), ({"xla": True}, times, accuracy))
        for seed in range(seeds)
    ]
    assert {cell.label for cell in beaten(build.cells(*trials))} == ({"xla"} if behind else set())


def test_replicas_on_shared_cores_neither_beat_nor_are_beaten(build):
    """However fast or slow: it is no measure of speed."""
    shared = {"strategy": "mirrored", "replicas": 2}
    for one, other in ((shared, {}), ({}, shared)):
        trials = [
            build.record(
                cell, seed=seed, step_s=[(1 + 0.001 * seed) * step_s * times for step_s in UNEVEN], accuracies=[top]
            )
            for cell, times, top in ((one, 1, 0.99), (other, 2, 0.97))
            for seed in range(3)
        ]
        assert beaten(build.cells(*trials)) == set()
