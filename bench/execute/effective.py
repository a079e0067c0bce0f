"""Compares what the worker read back with what was asked: a number of other settings is no number."""

from bench.protocol.answers import EffectiveSettings
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
_OPTIMIZERS = {"rmsprop": "RMSprop", "sgd": "SGD", "adam": "Adam"}


def mismatch(cell: Cell, effective: EffectiveSettings) -> str | None:
    """Name every setting that differs from what was asked, or None."""
    asked: dict[str, str | int | bool] = {
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
