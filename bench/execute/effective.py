"""Compares what the worker read back with what was asked: a number of other settings is no number."""

from math import isclose

from bench.protocol.effective import EffectiveSettings
from bench.trial import FEWEST_INTER_OP_THREADS, Cell

_COMPUTE_DTYPES = {
    "float32": "float32",
    "tf32": "float32",
    "mixed_float16": "float16",
    "mixed_bfloat16": "bfloat16",
}
_STRATEGIES = {
    "default": "_DefaultDistributionStrategy",
    "one_device": "OneDeviceStrategy",
    "mirrored": "MirroredStrategy",
    "central_storage": "CentralStorageStrategy",
    "multi_worker_mirrored": "CollectiveAllReduceStrategy",
    "parameter_server": "ParameterServerStrategyV2",
}
_ALL_REDUCE = {
    "nccl": "CollectiveAllReduce (NCCL)",
    "ring": "CollectiveAllReduce (RING)",
    "nccl_op": "NcclAllReduce",
    "hierarchical_copy": "HierarchicalCopyAllReduce",
    "reduce_to_one": "ReductionToOneDevice",
}
_FLOAT32 = 2.0**-23
"""How far a number may be from its neighbour in float32, in which Keras keeps the learning rate."""
_OPTIMIZERS = {"rmsprop": "RMSprop", "sgd": "SGD", "adam": "Adam"}


def mismatch(cell: Cell, effective: EffectiveSettings) -> str | None:
    """Name every setting that differs from what was asked, or None; `article` is what the worker's code has as such."""
    asked: dict[str, str | int | float | bool] = {
        "strategy": _STRATEGIES[cell.strategy],
        "replicas": cell.replicas,
        "global_batch": cell.global_batch,
        "compute_dtype": _COMPUTE_DTYPES[cell.precision],
        "variable_dtype": "float32",
        "tf32": cell.precision == "tf32",
        "loss_scaling": cell.precision == "mixed_float16",
        "xla": cell.xla,
        "optimizer": _OPTIMIZERS[cell.optimizer],
    }
    if cell.cpu_threads is not None:
        pool = 1 if 1 < effective.shards >= cell.cpu_threads else cell.cpu_threads
        least = FEWEST_INTER_OP_THREADS if cell.asynchronous else 1
        asked |= {"intra_op_threads": pool, "inter_op_threads": max(least, cell.cpu_threads)}
    if cell.asynchronous:
        asked |= {"workers": cell.workers, "servers": cell.servers}
    if cell.all_reduce != "default":
        asked["cross_device_ops"] = _ALL_REDUCE[cell.all_reduce]
    if cell.kind == "gpu":
        asked["allocator"] = cell.allocator
    if cell.onednn != "default":
        asked["onednn"] = cell.onednn == "on"
    asked |= _built_as(cell, effective)
    wrong = [
        f"{name} is {getattr(effective, name)}, not {value}"
        for name, value in asked.items()
        if getattr(effective, name) != value
    ]
    if len(set(effective.devices)) != cell.replicas:
        wrong.append(f"devices are {', '.join(effective.devices)}, not {cell.replicas} different ones")
    if any(cell.kind not in device.lower() for device in effective.devices):
        wrong.append(f"devices are {', '.join(effective.devices)}, not {cell.kind}")
    return "; ".join(wrong) or None


def _built_as(cell: Cell, effective: EffectiveSettings) -> dict[str, str | float]:
    """What the training must have been built as, of that which could be read back.

    A network or recipe that somebody changes is still the article's to the settings, whatever layers it has by then.
    """
    asked: dict[str, str | float] = {"engine": cell.engine, "input": cell.input}
    asked |= {name: word for name in ("variant", "recipe") if (word := getattr(cell, name)) != "article"}
    told, rate = effective.learning_rate, cell.learning_rate
    if told is not None and isinstance(rate, float) and not isclose(told, rate, rel_tol=_FLOAT32):
        asked["learning_rate"] = rate
    return {name: value for name, value in asked.items() if getattr(effective, name) is not None}
