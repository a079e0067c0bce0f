"""Every call this product makes to TensorFlow about devices, so that a test can stand in for a GPU here."""

import os
from collections.abc import Sequence
from contextlib import suppress

import keras
import tensorflow as tf

from bench.measure.cpus import usable_cpus
from bench.measure.gpus import find_gpus, free_memory_bytes
from bench.protocol.variables import ALLOCATOR_SWITCH
from bench.trial import FEWEST_INTER_OP_THREADS, Cell
from mnist_cnn.settings import TrainingSettings
from mnist_cnn.training import share_cores


def without_device(cell: Cell) -> Cell:
    """The cell as a process sees it that leads, or keeps weights, and leaves the computing to others."""
    return cell.model_copy(update={"device": "cpu", "cpu_threads": None, "replicas": 1, "workers": 1})


def shards_of(cell: Cell, settings: TrainingSettings) -> int:
    """Into how many parts a step is cut: one per CPU core where that is the engine's way, else one."""
    return settings.shards(_cores(cell)) if cell.kind == "cpu" and len(cell.roles) == cell.replicas == 1 else 1


def _cores(cell: Cell) -> int:
    return cell.cpu_threads or len(usable_cpus())


def configure_devices(cell: Cell, shards: int) -> list[str]:
    """Set threads and visible devices before TensorFlow's context exists; return the names to place replicas on.

    Raises ValueError where fewer GPUs are visible to TensorFlow than replicas are asked for.
    """
    if cell.cpu_threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(cell.cpu_threads)
        tf.config.threading.set_inter_op_parallelism_threads(cell.cpu_threads)
    if cell.asynchronous:
        tf.config.threading.set_inter_op_parallelism_threads(max(FEWEST_INTER_OP_THREADS, _cores(cell)))
    share_cores(shards, _cores(cell))
    gpus = tf.config.list_physical_devices("GPU")
    if cell.kind == "cpu":
        tf.config.set_visible_devices([], "GPU")
        if cell.replicas_per_worker > 1:
            split = [tf.config.LogicalDeviceConfiguration()] * cell.replicas_per_worker
            tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], split)
        return [f"/cpu:{index}" for index in range(cell.replicas_per_worker)]
    if len(gpus) < cell.replicas_per_worker:
        raise ValueError(
            f"{cell.replicas_per_worker} GPUs asked for, but TensorFlow sees {len(gpus)}; is the extra gpu installed, "
            "and the driver new enough (bench env)? The log has what CUDA says"
        )
    tf.config.set_visible_devices(gpus[: cell.replicas_per_worker], "GPU")
    for gpu in gpus[: cell.replicas_per_worker]:
        # without growth TensorFlow takes the whole card and no memory figure means anything
        tf.config.experimental.set_memory_growth(gpu, enable=True)
    return [f"/gpu:{index}" for index in range(cell.replicas_per_worker)]


def homes_of(variable: keras.Variable) -> list[str]:
    """Where the copies of a variable live, as `/device:GPU:0`: with each replica, or in one place for all of them."""
    value = variable.value
    return [_short(copy.device) for copy in getattr(value, "values", (value,))]


def devices_of(strategy: tf.distribute.Strategy, variable: keras.Variable) -> list[str]:
    """Where the replicas run, as `/device:GPU:0`: where their copies of a variable live, if they have any."""
    if isinstance(strategy, tf.distribute.experimental.CentralStorageStrategy):
        return [_short(device) for device in strategy.extended.worker_devices]
    if isinstance(strategy, tf.distribute.ParameterServerStrategy):
        return _of_workers()
    return homes_of(variable)


def computing_device(strategy: tf.distribute.Strategy, variable: keras.Variable) -> str:
    """The full name of the device that the first replica here computes on, which need not be the weights'."""
    if isinstance(strategy, tf.distribute.experimental.CentralStorageStrategy):
        return str(strategy.extended.worker_devices[0])
    if isinstance(strategy, tf.distribute.ParameterServerStrategy):
        return _of_workers()[0]
    return str(variable.value.device)


def _of_workers() -> list[str]:
    """The device of each worker that a coordinator leads, with its task: its GPU if it has one."""
    names = [device.name for kind in ("GPU", "CPU") for device in tf.config.list_logical_devices(kind)]
    by_task: dict[int, str] = {}
    for name in names:
        spec = tf.DeviceSpec.from_string(name)
        if spec.job == "worker":
            by_task.setdefault(spec.task, name)
    return [by_task[task] for task in sorted(by_task)]


def _short(device: str) -> str:
    """Without the job and task, which depend on the strategy."""
    spec = tf.DeviceSpec.from_string(device)
    return f"/device:{spec.device_type}:{spec.device_index}"


def gpu_models() -> list[str]:
    """The model of each GPU that TensorFlow may use, as the driver names it."""
    gpus = tf.config.get_visible_devices("GPU")
    return [str(tf.config.experimental.get_device_details(gpu).get("device_name", "unknown")) for gpu in gpus]


def allocator() -> str | None:
    """What hands out GPU memory: CUDA's own allocator, or TensorFlow's pool, grown or all at once; None without GPU."""
    gpus = tf.config.get_visible_devices("GPU")
    if not gpus:
        return None
    if chosen := os.environ.get(ALLOCATOR_SWITCH):
        return chosen
    return "growth" if all(map(tf.config.experimental.get_memory_growth, gpus)) else "preallocated"


def synchronise() -> None:
    """Wait until every device has finished what it was given (GPU kernels return before they end)."""
    tf.test.experimental.sync_devices()


def peak_device_memory_bytes(device_names: Sequence[str]) -> int | None:
    """The highest allocator peak of any GPU of this trial in bytes, or None on a CPU.

    TensorFlow answers 0 for a CPU, which would be a lie; an allocator without statistics raises ValueError.
    """
    try:
        peaks = [int(tf.config.experimental.get_memory_info(name)["peak"]) for name in _gpus(device_names)]
    except ValueError:
        return None
    return max(peaks, default=0) or None


def free_device_memory_bytes(replicas: int) -> int | None:
    """The least that the driver has left on a GPU of this trial: what TensorFlow's allocator holds is not free.

    TensorFlow has no word for it. The allocator keeps what it got, so that this holds after an allocation failed too.
    """
    free = [free_memory_bytes(gpu.uuid) for gpu in find_gpus().found[:replicas]]
    return min((left for left in free if left is not None), default=None)


def reset_peak_device_memory(device_names: Sequence[str]) -> None:
    """Begin new allocator peaks on the GPUs of this trial."""
    with suppress(ValueError):
        for name in _gpus(device_names):
            tf.config.experimental.reset_memory_stats(name)


def _gpus(device_names: Sequence[str]) -> list[str]:
    return [name for name in device_names if name.startswith("/gpu")]
