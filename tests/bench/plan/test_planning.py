"""A suite and a machine become trials: crossed, resolved, shuffled, and kept with a reason where they cannot run."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bench.errors import UsageError
from bench.plan.planning import most_workers, plan_trials
from bench.plan.search import trial_budget_s
from bench.plan.suite import parse_overrides, parse_suite
from bench.plan.support import Machine, own_gpus
from bench.trial import Trial

FOUR_GPUS = Machine(gpus=["A100"] * 4)
SERVERS_CANNOT = {
    'engine = "fit"': "fit × parameter_server: Keras 3.15's fit fails there; use engine step or fused",
    'recipe = "tuned"': "parameter_server × tuned: workers that count Keras's iterations at once lose some",
    'precision = "mixed_float16"': "parameter_server × mixed_float16 × several workers: Keras 3.15 reads",
    "xla = true": "parameter_server × xla: XLA cannot compile a step whose variables live in another process",
    'input = "resident"': "parameter_server × resident: its variables live on servers",
    'all_reduce = "ring"': "all_reduce ring sums gradients over replicas; parameter_server's replicas apply",
    "replicas = 4": "a worker on CPUs is one replica under parameter_server; give as many workers as replicas",
}


def hosts(*gpus: int, ranks: Sequence[int] = (0, 1)) -> Machine:
    """Hosts n1, n2, … of so many GPUs, whose UUIDs are such as n1.0; the ranks start on those with these places."""
    told = [
        Machine(
            gpus=["A100"] * count,
            capabilities=["8.0"] * count,
            uuids=[f"n{number}.{place}" for place in range(count)],
            no_gpu_reason="no driver",
            host=f"n{number}",
        )
        for number, count in enumerate(gpus, 1)
    ]
    return replace(told[0], host="", hosts=told, host_of_rank=ranks)


def planned(text: str, *options: str, machine: Machine | None = None, **rest: Any) -> list[Trial]:
    suite = parse_suite(f'name = "mine"\n{text}', "mine.toml")
    rest = {"train_images": 60_000} | rest
    return plan_trials(suite, machine or Machine(), overrides=parse_overrides(options), **rest)


def settings(trials: list[Trial]) -> list[dict[str, Any]]:
    """What differs from the default cell, in an order that does not depend on the shuffle."""
    return sorted((trial.cell.settings for trial in trials), key=str)


def refused(text: str, *options: str, **rest: Any) -> str:
    with pytest.raises(UsageError) as caught:
        planned(text, *options, **rest)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_suite_of_nothing_is_the_default_cell() -> None:
    """A suite that names no setting is one trial of the default cell."""
    assert settings(planned("")) == [{}]


def test_axes_are_crossed_with_cells_over_defaults() -> None:
    """Two cells and an axis of two are four trials; cells replace defaults, axes replace both."""
    trials = planned(
        '[defaults]\nepochs = 3\n[axes]\nglobal_batch = [10, 20]\n[[cells]]\nengine = "fit"\n[[cells]]\nepochs = 2\n'
    )
    assert settings(trials) == [
        {"global_batch": 10, "engine": "fit", "epochs": 3},
        {"global_batch": 10, "epochs": 2},
        {"global_batch": 20, "engine": "fit", "epochs": 3},
        {"global_batch": 20, "epochs": 2},
    ]


def test_overrides_replace_and_cross() -> None:
    """--set replaces what the suite says of an axis, crosses its values, and keeps equal cells once."""
    text = "[[cells]]\nglobal_batch = 10\n[[cells]]\nglobal_batch = 20\n[[cells]]\nxla = true\n"
    assert settings(planned(text, "global_batch=50")) == [{"global_batch": 50, "xla": True}, {"global_batch": 50}]
    assert len(planned(text, "global_batch=50,60", "engine=fit,step,fused")) == 12


def test_same_cell_spelled_twice_is_one_trial() -> None:
    """A default said aloud makes no second cell."""
    assert settings(planned('[[cells]]\n[[cells]]\nengine = "step"\n[[cells]]\nglobal_batch = 200\n')) == [{}]


def test_per_replica_batch() -> None:
    """per_replica_batch times the replicas is the global batch; it replaces a global_batch and is replaced by one."""
    text = '[defaults]\nstrategy = "mirrored"\nper_replica_batch = 16\n[axes]\nreplicas = [1, 2, 4]\n'
    assert {trial.cell.replicas: trial.cell.global_batch for trial in planned(text)} == {1: 16, 2: 32, 4: 64}
    assert {trial.cell.global_batch for trial in planned(text, "global_batch=400")} == {400}
    assert {trial.cell.global_batch for trial in planned("[defaults]\nglobal_batch = 7", "per_replica_batch=9")} == {9}


def test_asynchronous_batch_stays_as_workers_grow() -> None:
    """A parameter server's step is one worker's, so a batch per replica is the global one, and a search's too."""
    text = '[defaults]\nstrategy = "parameter_server"\nper_replica_batch = 16\n[axes]\nworkers = [1, 3]\n'
    assert {(trial.cell.replicas, trial.cell.global_batch) for trial in planned(text)} == {(1, 16), (3, 16)}
    excluded = "[[exclude]]\nper_replica_batch = 16\nworkers = 3\n"
    assert [trial.cell.workers for trial in planned(text + excluded)] == [1]
    searched = planned(text + excluded.replace("3", "1"), max_batch=True, train_images=200)
    assert sorted(trial.cell.global_batch for trial in searched) == [64, 64, 128, 128]


@pytest.mark.parametrize(
    ("text", "machine", "replicas"),
    [
        ('strategy = "mirrored"\ndevice = "gpu"', FOUR_GPUS, 4),
        ('strategy = "mirrored"\ndevice = "gpu"\nreplicas = "all"', FOUR_GPUS, 4),
        ('strategy = "mirrored"\ndevice = "gpu"\nreplicas = 2', FOUR_GPUS, 2),
        ('strategy = "mirrored"\ndevice = "gpu:2"', FOUR_GPUS, 2),
        ('strategy = "mirrored"\ndevice = "gpu"', Machine(), 1),
        ('strategy = "mirrored"', FOUR_GPUS, 2),
        ('strategy = "mirrored"\nreplicas = "all"', Machine(), 2),
        ('strategy = "central_storage"', Machine(), 2),
        ('strategy = "multi_worker_mirrored"\nworkers = 4', FOUR_GPUS, 4),
        ('device = "gpu"', FOUR_GPUS, 1),
    ],
)
def test_all_replicas(text: str, machine: Machine, replicas: int) -> None:
    """`all`, which mirrored means where nothing is said, is every GPU, or two of a CPU; workers are a replica each."""
    (trial,) = planned(f"[defaults]\n{text}", machine=machine)
    assert trial.cell.replicas == replicas


def test_exclude_needs_every_setting() -> None:
    """An exclude leaves out the cells that match all of it, defaults included; any of several excludes will do."""
    text = '[axes]\nengine = ["fit", "step"]\nglobal_batch = [10, 20]\n'
    both = '[[exclude]]\nengine = "step"\nglobal_batch = 10\n'
    assert len(planned(text + both)) == 3
    assert len(planned(text + both + '[[exclude]]\nengine = "fit"\nglobal_batch = 20\n')) == 2
    assert len(planned(text + "[[exclude]]\nxla = false\nglobal_batch = 10\n")) == 2


@pytest.mark.parametrize(
    ("excluded", "left"),
    [
        ("replicas = 2", {1}),
        ("replicas = 1", {2}),
        ('replicas = "all"', {1, 2}),
        ("per_replica_batch = 100", {1}),
        ("per_replica_batch = 200", {2}),
    ],
)
def test_exclude_matches_what_will_run(excluded: str, left: set[int]) -> None:
    """Mirrored without a number is two replicas on a CPU, and is matched by that, not by the default of one."""
    trials = planned(f'[axes]\nstrategy = ["default", "mirrored"]\n[[exclude]]\n{excluded}\n')
    assert {trial.cell.replicas for trial in trials} == left


def test_exclude_of_what_could_not_be_a_cell() -> None:
    """A batch that does not divide may be excluded, which is how a suite crosses batches with replicas."""
    text = '[defaults]\nstrategy = "mirrored"\n[axes]\nreplicas = [2, 3]\nglobal_batch = [200, 300]\n'
    assert "not divisible" in refused(text)
    assert len(planned(text + "[[exclude]]\nreplicas = 3\nglobal_batch = 200\n")) == 3


def test_exclude_of_a_seed() -> None:
    """A seed can be excluded like any axis, the default seed too."""
    text = "[axes]\nseed = [0, 1]\n[[exclude]]\nseed = "
    assert [trial.seed for trial in planned(text + "1")] == [0]
    assert [trial.seed for trial in planned(text + "0")] == [1]


def test_everything_excluded_is_told() -> None:
    """A plan of nothing is an error, not a run of nothing."""
    assert refused("[[exclude]]\nxla = false\n") == "mine: no cells; give axes or cells, or exclude less"


def test_repeats_are_spread_over_the_run() -> None:
    """Every cell is run once before any is run again, and the argument counts more than the suite."""
    text = "repeats = 3\n[axes]\nglobal_batch = [10, 20, 30, 40]\nseed = [0, 1]\n"
    trials = planned(text)
    assert [trial.repeat for trial in trials] == [0] * 8 + [1] * 8 + [2] * 8
    assert set(Counter(trial.trial_id for trial in trials).values()) == {1}
    assert len(planned(text, repeats=2)) == 16


def test_order_is_shuffled_and_always_the_same() -> None:
    """The order is not that of the axes, differs between repeats, and is the same in every planning."""
    text = "repeats = 2\n[axes]\nglobal_batch = [10, 20, 30, 40, 50, 60, 70, 80]\n"
    batches = [trial.cell.global_batch for trial in planned(text)]
    assert batches[:8] != sorted(batches[:8])
    assert batches[:8] != batches[8:]
    assert batches == [trial.cell.global_batch for trial in planned(text)]


@pytest.mark.parametrize(
    ("text", "machine", "reason"),
    [
        ('device = "gpu"', Machine(no_gpu_reason="no driver"), "device gpu: no driver"),
        (
            'device = "gpu"\nstrategy = "mirrored"\nreplicas = 5',
            FOUR_GPUS,
            "5 replicas need as many GPUs from 0 on, this machine has 4",
        ),
        ("replicas = 2", Machine(), "strategy default has one replica; use mirrored for 2"),
        ('replicas = 2\nstrategy = "one_device"', Machine(), "strategy one_device has one replica"),
        ('device = "gpu:4"', FOUR_GPUS, "device gpu:4: 4 GPUs are visible, counted from 0"),
        ('all_reduce = "ring"', Machine(), "all_reduce ring sums over several replicas"),
        ('strategy = "mirrored"\nall_reduce = "nccl_op"', Machine(), "all_reduce nccl_op is NVIDIA's"),
        ('allocator = "cuda_malloc_async"', Machine(), "allocator cuda_malloc_async is for the memory of GPUs"),
        ('precision = "tf32"', FOUR_GPUS, "tf32 is a mode of NVIDIA tensor cores"),
        ('engine = "fit"\ninput = "resident"', Machine(), "fit × resident"),
        (
            'engine = "fit"\nstrategy = "multi_worker_mirrored"\nworkers = 2',
            Machine(),
            "fit × multi_worker_mirrored: Keras 3.15's fit fails there",
        ),
        ('device = "gpu"\nonednn = "off"', FOUR_GPUS, "oneDNN has kernels for CPUs only"),
        ('xla = true\nonednn = "on"', Machine(), "XLA compiles kernels of its own"),
        ('xla = true\nstrategy = "mirrored"', Machine(), "XLA cannot compile a step whose variables live on several"),
        (
            'engine = "fit"\nprecision = "mixed_float16"\nstrategy = "mirrored"',
            Machine(),
            "fit × mixed_float16 × several",
        ),
        (
            'strategy = "central_storage"\nvariant = "dropout"',
            Machine(),
            "central_storage × dropout × several replicas",
        ),
        *[
            (f'strategy = "parameter_server"\nworkers = 2\n{setting}', Machine(), reason)
            for setting, reason in SERVERS_CANNOT.items()
        ],
        ("servers = 2", Machine(), "2 servers are parameter_server's"),
        (
            'strategy = "parameter_server"\ndevice = "gpu"\nreplicas = 4\nworkers = 2',
            FOUR_GPUS,
            "parameter_server × several GPUs a worker is not built",
        ),
        ('strategy = "central_storage"\nvariant = "batchnorm"', Machine(), "central_storage × batchnorm × several"),
        ('strategy = "central_storage"\nprecision = "mixed_float16"', Machine(), "central_storage × mixed_float16"),
        (
            'strategy = "central_storage"\nall_reduce = "ring"',
            Machine(),
            "all_reduce ring is mirrored's; central_storage",
        ),
    ],
)
def test_what_this_machine_cannot_do_keeps_its_reason(text: str, machine: Machine, reason: str) -> None:
    """An impossible cell stays in the plan, with a reason that names what is in the way."""
    (trial,) = planned(f"[defaults]\n{text}\n", machine=machine)
    assert trial.unsupported is not None
    assert trial.unsupported.startswith(reason)


@pytest.mark.parametrize(
    "text",
    [
        'device = "gpu"\nstrategy = "mirrored"\nprecision = "tf32"',
        'device = "gpu"\nxla = true',
        'strategy = "mirrored"\nengine = "fused"\nprecision = "mixed_float16"',
        'engine = "fit"\nprecision = "mixed_float16"',
        'xla = true\nonednn = "off"',
        'strategy = "mirrored"\nreplicas = 1\nxla = true',
        'engine = "fused"\ninput = "resident"\nxla = true',
        'strategy = "central_storage"\nengine = "fit"\nprecision = "mixed_bfloat16"',
        'strategy = "parameter_server"\nprecision = "mixed_float16"',
        'strategy = "parameter_server"\nworkers = 2\nservers = 2\nvariant = "batchnorm_dropout"\nengine = "fused"',
        'strategy = "parameter_server"\nworkers = 2\ndevice = "gpu"\nprecision = "mixed_bfloat16"',
        'strategy = "central_storage"\nreplicas = 1\nvariant = "batchnorm_dropout"\nprecision = "mixed_float16"',
    ],
)
def test_what_can_be_done_has_no_reason(text: str) -> None:
    """Close neighbours of the impossible cells are planned to run."""
    (trial,) = planned(f"[defaults]\n{text}\n", machine=FOUR_GPUS)
    assert trial.unsupported is None


def test_batch_that_does_not_divide() -> None:
    """A batch that replicas cannot share is refused with the numbers, the cell, and the fix."""
    told = refused('[defaults]\nstrategy = "mirrored"\nglobal_batch = 201\n')
    assert told == (
        "mine: global_batch 201 is not divisible by 2 replicas; choose a multiple, or give per_replica_batch "
        "(in cell strategy=mirrored, global_batch=201)"
    )


def test_batch_larger_than_the_training_set() -> None:
    """A batch of all images is one step an epoch; one image more is refused with the limit."""
    assert planned("[defaults]\nglobal_batch = 2000", train_images=2000)
    told = refused("[defaults]\nglobal_batch = 2001", train_images=2000)
    reason = "global_batch 2001: the training set has only 2000 images; give at most that"
    assert told == f"mine: {reason} (in cell global_batch=2001)"


def test_both_batches_at_once() -> None:
    """Two settings that say the same thing differently are refused, not ranked."""
    assert "give global_batch or per_replica_batch, not both" in refused(
        "[defaults]\nglobal_batch = 100\nper_replica_batch = 50\n"
    )


def batches(trials: list[Trial]) -> list[int]:
    return [trial.cell.global_batch for trial in trials]


def test_search_replaces_the_batch_by_ascending_powers_of_two() -> None:
    """Whatever batches a suite has, a cell is searched once, from 64 to the last within the training set, epochs 0."""
    text = "[defaults]\nepochs = 3\n[axes]\nglobal_batch = [10, 100000]\n"
    trials = planned(text, max_batch=True, train_images=1500)
    assert batches(trials) == [64, 128, 256, 512, 1024]
    assert {trial.cell.epochs for trial in trials} == {0}
    assert batches(planned(text, max_batch=True, train_images=1024))[-1] == 1024


def test_search_gives_each_replica_a_power_of_two() -> None:
    """Three replicas have no power of two between them; their cell's largest batch fits the training set too."""
    text = '[defaults]\nstrategy = "mirrored"\nreplicas = 3\n'
    assert batches(planned(text, max_batch=True, train_images=1500)) == [192, 384, 768]


def test_searches_stand_one_after_the_other() -> None:
    """Each cell's batches ascend side by side, within each seed and repeat, so that a budget leaves whole answers."""
    text = '[axes]\nengine = ["fit", "step", "fused"]\nseed = [0, 1]\n'
    trials = planned(text, max_batch=True, train_images=200, repeats=2)
    assert len(trials) == 3 * 2 * 2 * 2
    for first, second in zip(trials[::2], trials[1::2], strict=True):
        assert batches([first, second]) == [64, 128]
        assert first == second.model_copy(update={"cell": second.cell.at_batch(64)})
    assert [trial.repeat for trial in trials] == [0] * 12 + [1] * 12


def test_search_leaves_out_what_the_suite_excludes() -> None:
    """An excluded batch is one of those searched, like any other setting."""
    text = '[axes]\nengine = ["fit", "step"]\n[[exclude]]\nengine = "fit"\nper_replica_batch = 128\n'
    assert sorted(batches(planned(text, max_batch=True, train_images=200))) == [64, 64, 128]


def test_search_without_room_for_its_first_batch() -> None:
    """A training set that is smaller than that is told as for any other batch."""
    assert "global_batch 64: the training set has only 50 images" in refused("", max_batch=True, train_images=50)


def test_search_is_short_unless_the_suite_is_made_for_it() -> None:
    """A suite's budget is for what it was written for: training, or the search."""
    plain, searching = (
        parse_suite(f'name = "mine"\n{text}[budget]\ntrial_s = 60', "mine.toml") for text in ("", "max_batch = true\n")
    )
    unlimited = parse_suite('name = "mine"\nmax_batch = true', "mine.toml")
    assert [trial_budget_s(suite, max_batch=True) for suite in (plain, searching, unlimited)] == [5, 60, 5]
    assert trial_budget_s(plain, max_batch=False) == 60


@pytest.mark.parametrize("axis", ["global_batch", "per_replica_batch", "epochs"])
def test_search_has_its_own_batches(axis: str) -> None:
    """What a search sets itself cannot be set, and the refusal tells its range."""
    message = refused("", f"{axis}=128", max_batch=True)
    assert message.startswith(f"--max-batch sets {axis} itself: batches of 64, 128, 256 … per replica")
    assert message.endswith("leave it out")


WORKERS = '[defaults]\nstrategy = "multi_worker_mirrored"\ndevice = "gpu"\nworkers = '


@pytest.mark.parametrize(
    ("cell", "machine", "gpus"),
    [
        ("2", hosts(1, 1), ["n1.0", "n2.0"]),
        ("2\nreplicas = 4", hosts(3, 2), ["n1.0", "n1.1", "n2.0", "n2.1"]),
        ('2\nreplicas = "all"', hosts(3, 2), ["n1.0", "n1.1", "n2.0", "n2.1"]),
        ("4", hosts(2, 2, ranks=(0, 1, 0, 1)), ["n1.0", "n2.0", "n1.1", "n2.1"]),
        ('2\ndevice = "gpu:1"', hosts(2, 3), ["n1.1", "n2.1"]),
        ("2\nreplicas = 4", hosts(4, ranks=(0, 0)), ["n1.0", "n1.1", "n1.2", "n1.3"]),
    ],
)
def test_workers_take_gpus_of_their_own_host(cell: str, machine: Machine, gpus: list[str]) -> None:
    """Rank by rank; workers of one host share its GPUs out, and all of them are as many as the poorest host has."""
    text = WORKERS + cell
    (trial,) = planned(text.replace('device = "gpu"\n', "") if "gpu:1" in cell else text, machine=machine)
    assert trial.unsupported is None
    assert own_gpus(trial.cell, machine) == gpus


@pytest.mark.parametrize(
    ("cell", "machine", "reason"),
    [
        ("2", hosts(1, 0), "device gpu on n2: no driver"),
        ("2\nreplicas = 4", hosts(2, 1), "2 replicas on n2 need as many GPUs from 0 on, n2 has 1"),
        (
            "3\nper_replica_batch = 8",
            hosts(2, 1, ranks=(0, 1, 1)),
            "2 replicas on n2 need as many GPUs from 0 on, n2 has 1",
        ),
    ],
)
def test_host_that_lacks_gpus_is_named(cell: str, machine: Machine, reason: str) -> None:
    """A worker is planned on its own host, whatever GPUs others have."""
    (trial,) = planned(WORKERS + cell, machine=machine)
    assert trial.unsupported == reason


def test_one_worker_needs_the_first_host_alone() -> None:
    """A cell is not refused for a host on which it has no worker."""
    (trial,) = planned('[defaults]\ndevice = "gpu"', machine=hosts(1, 0))
    assert trial.unsupported is None


def test_replicas_double_on_every_worker() -> None:
    """1, 2 and 3 GPUs of each of two hosts."""
    trials = planned(WORKERS + '2\nreplicas = "doubling"\nper_replica_batch = 8', machine=hosts(3, 4))
    assert sorted(trial.cell.replicas for trial in trials) == [2, 4, 6]


def test_most_workers_of_a_suite() -> None:
    """Of any cell, also where the command line says how many."""
    suite = parse_suite('name = "t"\n[[cells]]\nworkers = 4\n[[cells]]', "t.toml")
    assert most_workers(suite, {}) == 4
    assert most_workers(suite, parse_overrides(["workers=1,2"])) == 2
