"""The suites that come with the product can be planned on any machine."""

from typing import get_args

import pytest

from bench.plan.planning import plan_trials
from bench.plan.suite import load_suite, suite_names
from bench.plan.support import Machine
from bench.trial import AllReduce, Device, Precision, Trial
from mnist_cnn.settings import Engine

MNIST_IMAGES = 60_000
CPU_ONLY = Machine()
GPU = "NVIDIA H100"
ONE_PROCESS = {"default", "one_device", "mirrored"}
"""What `quick` shows; several workers are the suite `scaling`'s."""


def planned(name: str, machine: Machine) -> list[Trial]:
    device: Device = "gpu" if machine.gpus else "cpu"
    return plan_trials(load_suite(name, device), machine, train_images=MNIST_IMAGES)


@pytest.mark.parametrize("gpus", [0, 1, 2, 4, 8])
@pytest.mark.parametrize("name", sorted(suite_names()))
def test_every_suite_plans_on_every_machine(name: str, gpus: int) -> None:
    """On no, one or several GPUs each suite has trials of different cells; what cannot run has its reason."""
    trials = planned(name, Machine(gpus=[GPU] * gpus))
    assert trials
    assert len({trial.trial_id for trial in trials}) == len(trials)
    assert all(trial.unsupported is None or len(trial.unsupported) > 10 for trial in trials)
    if gpus or name not in {"gpu", "multi-gpu", "multi-host"}:
        assert any(trial.unsupported is None for trial in trials)


def test_names_of_suites() -> None:
    """The suites that the documentation names are there."""
    assert {"quick", "smoke", "article", "gpu", "multi-gpu", "multi-host", "scaling"} <= suite_names()


def test_quick_on_a_cpu() -> None:
    """The default suite is 9 to 12 cells, shows every strategy, precision and engine, and three batches or more."""
    trials = planned("quick", CPU_ONLY)
    cells = [trial.cell for trial in trials]
    assert 9 <= len({cell.cell_id for cell in cells}) == len(cells) <= 12
    assert {cell.device for cell in cells} == {"cpu"}
    assert {cell.strategy for cell in cells} == ONE_PROCESS
    assert {cell.precision for cell in cells} == set(get_args(Precision))
    assert {cell.engine for cell in cells} == set(get_args(Engine))
    assert len({cell.global_batch for cell in cells}) >= 3
    assert {trial.cell.precision for trial in trials if trial.unsupported} == {"tf32"}


def test_quick_on_gpus() -> None:
    """On a machine with GPUs the same name plans their suite, with nothing impossible and all GPUs in use."""
    trials = planned("quick", Machine(gpus=[GPU] * 4))
    assert {trial.cell.device for trial in trials} == {"gpu"}
    assert all(trial.unsupported is None for trial in trials)
    assert {trial.cell.replicas for trial in trials} == {1, 4}
    assert {trial.cell.strategy for trial in trials} == ONE_PROCESS
    assert {trial.cell.precision for trial in trials} == set(get_args(Precision))


@pytest.mark.parametrize(("gpus", "counts"), [(1, {1}), (2, {1, 2}), (6, {1, 2, 4, 6}), (8, {1, 2, 4, 8})])
def test_multi_gpu_suite_scales_up_to_what_is_there(gpus: int, counts: set[int]) -> None:
    """1, 2, 4 and so on and all; with one global batch and with one batch per replica; every all-reduce on all."""
    cells = [trial.cell for trial in planned("multi-gpu", Machine(gpus=[GPU] * gpus)) if not trial.unsupported]
    plain = [cell for cell in cells if (cell.engine, cell.precision, cell.all_reduce) == ("step", "float32", "default")]
    assert {cell.replicas for cell in plain if cell.global_batch == 6720} >= counts
    assert {cell.replicas for cell in plain if cell.per_replica_batch == 840} == counts
    if gpus > 1:
        assert {cell.all_reduce for cell in cells if cell.replicas == gpus} == set(get_args(AllReduce))


def test_multi_host_suite_takes_every_gpu_of_every_host() -> None:
    """One worker and two, each with the four GPUs of its host; nothing is impossible, and rings stand beside NCCL."""
    hosts = [Machine(gpus=[GPU] * 4, host=name) for name in ("n1", "n2")]
    trials = planned("multi-host", Machine(gpus=[GPU] * 4, hosts=hosts, host_of_rank=[0, 1]))
    assert all(trial.unsupported is None for trial in trials), [trial.unsupported for trial in trials]
    assert {(trial.cell.workers, trial.cell.replicas) for trial in trials} == {(1, 4), (2, 8)}
    assert {trial.cell.all_reduce for trial in trials} == {"default", "ring"}
    weak = {trial.cell.global_batch for trial in trials if trial.cell.per_replica_batch == 840}
    assert weak == {3360, 6720}


def test_scaling_suite() -> None:
    """One and two workers of a core each, at one global batch and at one batch per worker, three times each."""
    trials = planned("scaling", CPU_ONLY)
    assert all(trial.unsupported is None for trial in trials)
    cells = {(trial.cell.engine, trial.cell.workers, trial.cell.global_batch) for trial in trials}
    assert cells == {(engine, *rest) for engine in ("step", "fused") for rest in ((1, 200), (2, 200), (2, 400))}
    assert {trial.cell.cpu_threads for trial in trials} == {1}
    assert {trial.repeat for trial in trials} == {0, 1, 2}


def test_gpu_suite_without_gpus() -> None:
    """Asked for on a CPU machine, every trial stays in the plan and says why it cannot run."""
    trials = planned("gpu", Machine(no_gpu_reason="no driver"))
    assert {trial.unsupported for trial in trials} == {"device gpu: no driver"}


def test_article_suite() -> None:
    """Five cells with three seeds each, ten epochs but for the tuned recipe."""
    trials = planned("article", CPU_ONLY)
    assert len(trials) == 15
    assert {trial.seed for trial in trials} == {0, 1, 2}
    assert {trial.cell.epochs for trial in trials if trial.cell.recipe == "tuned"} == {5}
    assert {trial.cell.epochs for trial in trials if trial.cell.recipe == "article"} == {10}
