"""What was asked is compared with what the worker read back: a number of other settings is no number."""

from typing import Any

import pytest

from bench.execute.effective import mismatch
from bench.protocol.effective import EffectiveSettings
from bench.trial import Cell

AS_ASKED: dict[str, Any] = {
    "strategy": "MirroredStrategy",
    "replicas": 2,
    "global_batch": 200,
    "devices": ["/device:GPU:0", "/device:GPU:1"],
    "variable_dtype": "float32",
    "compute_dtype": "float16",
    "xla": False,
    "xla_scope": "none",
    "tf32": False,
    "loss_scaling": True,
    "cross_device_ops": "NcclAllReduce",
    "optimizer": "Adam",
    "intra_op_threads": 4,
    "inter_op_threads": 4,
    "onednn": True,
    "allocator": "growth",
    "parameters": 257_162,
    "buffered_batches": 5,
    "engine": "step",
    "input": "real",
    "variant": "article",
    "recipe": "article",
    "learning_rate": 0.001,
}
CELL = Cell(strategy="mirrored", device="gpu", replicas=2, precision="mixed_float16", optimizer="adam", cpu_threads=4)


def test_settings_as_asked() -> None:
    """A worker that does what was asked has no mismatch."""
    assert mismatch(CELL, EffectiveSettings(**AS_ASKED)) is None


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("strategy", "OneDeviceStrategy", "strategy is OneDeviceStrategy, not MirroredStrategy"),
        ("replicas", 1, "replicas is 1, not 2"),
        ("global_batch", 100, "global_batch is 100, not 200"),
        ("global_batch", None, "global_batch is None, not 200"),
        ("devices", ["/device:GPU:0", "/device:CPU:0"], "devices are /device:GPU:0, /device:CPU:0, not gpu"),
        ("variable_dtype", "float16", "variable_dtype is float16, not float32"),
        ("compute_dtype", "float32", "compute_dtype is float32, not float16"),
        ("xla", True, "xla is True, not False"),
        ("tf32", True, "tf32 is True, not False"),
        ("loss_scaling", False, "loss_scaling is False, not True"),
        ("optimizer", "SGD", "optimizer is SGD, not Adam"),
        ("intra_op_threads", 2, "intra_op_threads is 2, not 4"),
        ("inter_op_threads", 2, "inter_op_threads is 2, not 4"),
        ("engine", "fit", "engine is fit, not step"),
        ("input", "synthetic", "input is synthetic, not real"),
        ("input", None, None),
        ("learning_rate", 0.002, None),
    ],
)
def test_other_setting_is_named(field: str, value: Any, told: str | None) -> None:
    """Each setting that differs is named with what it is and what was asked; a rate left to the recipe may be any."""
    assert mismatch(CELL, EffectiveSettings(**AS_ASKED | {field: value})) == told


@pytest.mark.parametrize(
    ("asked", "ran", "told"),
    [
        ("default", True, None),
        ("default", False, None),
        ("on", True, None),
        ("on", False, "onednn is False, not True"),
        ("off", True, "onednn is True, not False"),
    ],
)
def test_onednn_is_compared_where_it_was_asked_for(asked: Any, ran: bool, told: str | None) -> None:
    """By default any kernels are right; `on` and `off` are held against those that ran."""
    cell = CELL.model_copy(update={"onednn": asked})
    assert mismatch(cell, EffectiveSettings(**AS_ASKED | {"onednn": ran})) == told


@pytest.mark.parametrize(
    ("asked", "ran", "told"),
    [
        ("default", "NcclAllReduce", None),
        ("nccl_op", "NcclAllReduce", None),
        ("nccl", "NcclAllReduce", "cross_device_ops is NcclAllReduce, not CollectiveAllReduce (NCCL)"),
        ("reduce_to_one", "NcclAllReduce", "cross_device_ops is NcclAllReduce, not ReductionToOneDevice"),
    ],
)
def test_all_reduce_is_compared_where_it_was_asked_for(asked: Any, ran: str, told: str | None) -> None:
    """NCCL's operation and its collective are two things; by default any is right."""
    cell = CELL.model_copy(update={"all_reduce": asked})
    assert mismatch(cell, EffectiveSettings(**AS_ASKED | {"cross_device_ops": ran})) == told


def test_allocator_is_compared_on_gpus() -> None:
    """A card taken all at once has no memory figure that means anything."""
    told = mismatch(CELL, EffectiveSettings(**AS_ASKED | {"allocator": "preallocated"}))
    assert told == "allocator is preallocated, not growth"


def test_cluster_of_a_coordinator_is_compared() -> None:
    """Workers and servers are what was asked, and a worker has four threads between operations at least."""
    cell = Cell(strategy="parameter_server", workers=2, replicas=2, cpu_threads=1)
    changes = {
        "strategy": "ParameterServerStrategyV2",
        "devices": ["/job:worker/task:0/device:CPU:0", "/job:worker/task:1/device:CPU:0"],
        "compute_dtype": "float32",
        "loss_scaling": False,
        "cross_device_ops": None,
        "optimizer": "RMSprop",
        "intra_op_threads": 1,
        "workers": 2,
        "servers": 1,
    }
    assert mismatch(cell, EffectiveSettings(**AS_ASKED | changes)) is None
    wrong = {"servers": 2, "workers": 1, "inter_op_threads": 1}
    told = "inter_op_threads is 1, not 4; workers is 1, not 2; servers is 2, not 1"
    assert mismatch(cell, EffectiveSettings(**AS_ASKED | changes | wrong)) == told


def test_every_other_setting_is_named() -> None:
    """Two settings that differ are both in the reason."""
    told = mismatch(CELL, EffectiveSettings(**AS_ASKED | {"replicas": 1, "tf32": True}))
    assert told == "replicas is 1, not 2; tf32 is True, not False"


def test_threads_that_were_not_asked_for_may_be_any() -> None:
    """Without cpu_threads TensorFlow chooses, and its choice is no mismatch."""
    cell = CELL.model_copy(update={"cpu_threads": None})
    assert mismatch(cell, EffectiveSettings(**AS_ASKED | {"intra_op_threads": 64})) is None


@pytest.mark.parametrize(
    ("asked", "ran", "told"),
    [
        (0.001, 0.001, None),
        (0.123456789, 0.12345679, None),
        (0.001, 0.002, "learning_rate is 0.002, not 0.001"),
        ("linear", 0.002, None),
    ],
)
def test_a_learning_rate_is_compared_where_it_is_a_number(asked: Any, ran: float, told: str | None) -> None:
    """To the bits of float32, in which Keras keeps it; what a rule makes of it is the workload's."""
    cell = CELL.model_copy(update={"learning_rate": asked})
    assert mismatch(cell, EffectiveSettings(**AS_ASKED | {"learning_rate": ran})) == told


def test_the_article_is_what_the_code_has_as_such() -> None:
    """Where its network has dropout by itself, that is what is measured; a variant that was asked for must run."""
    other = EffectiveSettings(**AS_ASKED | {"variant": "dropout", "recipe": "tuned"})
    assert mismatch(CELL, other) is None
    asked = CELL.model_copy(update={"variant": "batchnorm"})
    assert mismatch(asked, other) == "variant is dropout, not batchnorm"
    tuned = CELL.model_copy(update={"recipe": "tuned"})
    assert mismatch(tuned, EffectiveSettings(**AS_ASKED)) == "recipe is article, not tuned"
