"""A cell's strategy as a live tf.distribute object."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.distribute import collective_util, cross_device_ops  # nowhere else can a collective be chosen

from bench.trial import AllReduce, Cell


def build_strategy(cell: Cell, device_names: Sequence[str]) -> tf.distribute.Strategy:
    """Build the strategy over the configured devices; `default` is TensorFlow's own no-strategy."""
    if cell.strategy == "multi_worker_mirrored":
        # TensorFlow's own choice (AUTO) is a ring over gRPC on GPUs too: AssignCollectiveType in
        # tensorflow/core/common_runtime/collective_param_resolver_local.cc takes NCCL only where it is asked for
        default = "RING" if cell.kind == "cpu" else "NCCL"
        name = default if cell.all_reduce == "default" else cell.all_reduce.upper()
        options = tf.distribute.experimental.CommunicationOptions(
            implementation=tf.distribute.experimental.CommunicationImplementation[name]
        )
        return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    if cell.strategy == "parameter_server":
        return tf.distribute.ParameterServerStrategy(tf.distribute.cluster_resolver.TFConfigClusterResolver())
    if cell.strategy == "mirrored":
        return _mirrored(cell, list(device_names))
    if cell.strategy == "central_storage":
        return tf.distribute.experimental.CentralStorageStrategy(list(device_names))
    if cell.strategy == "one_device":
        return tf.distribute.OneDeviceStrategy(device_names[0])
    return tf.distribute.get_strategy()


_OPERATIONS: dict[AllReduce, Callable[[], tf.distribute.CrossDeviceOps]] = {
    "nccl_op": tf.distribute.NcclAllReduce,
    "hierarchical_copy": tf.distribute.HierarchicalCopyAllReduce,
    "reduce_to_one": tf.distribute.ReductionToOneDevice,
}


def _mirrored(cell: Cell, device_names: list[str]) -> tf.distribute.Strategy:
    if cell.all_reduce in _OPERATIONS:
        return tf.distribute.MirroredStrategy(device_names, cross_device_ops=_OPERATIONS[cell.all_reduce]())
    strategy = tf.distribute.MirroredStrategy(device_names)
    if cell.all_reduce != "default":
        _choose_collective(strategy.extended, cell.all_reduce.upper())
    return strategy


def _choose_collective(extended: Any, name: str) -> None:
    """Have the strategy's collectives implemented by NCCL or by rings, which it would choose by the devices alone.

    Through its private parts: MultiWorkerMirroredStrategy takes such an option, MirroredStrategy does not.
    """
    options = collective_util.Options(implementation=collective_util.CommunicationImplementation[name])
    extended._communication_options = options
    extended._collective_ops = extended._cross_device_ops = cross_device_ops.CollectiveAllReduce(
        devices=extended._devices,
        group_size=len(extended._devices),
        options=options,
        collective_keys=extended._collective_keys,
    )


def barrier_of(strategy: tf.distribute.Strategy) -> Callable[[], None]:
    """What returns when the workers of a strategy have all called it; for a single process at once."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return lambda: None

    @tf.function
    def meet() -> tf.Tensor:
        def one() -> tf.Tensor:
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.constant(1.0))

        return strategy.experimental_local_results(strategy.run(one))[0]

    return lambda: meet().numpy() and None
