"""A rank that a coordinator leads: TensorFlow's server, which computes steps or keeps weights."""

import socket

import tensorflow as tf
from tensorflow.python.eager import context  # what a server is started with is told nowhere else

from bench.measure.cpus import cpu_words, usable_cpus, whole_cores
from bench.protocol.answers import Serving
from bench.protocol.commands import Finish, Place
from bench.trial import Cell
from bench.worker.channel import Channel
from bench.worker.cluster import cluster_of, task_of
from bench.worker.devices import allocator, configure_devices, gpu_models, without_device
from bench.worker.effective import onednn_notes
from bench.worker.last_word import last_word
from bench.worker.memory import PeakMemory, peak_host_memory_bytes
from bench.worker.network import meeting_point, network_settings
from bench.worker.own_host import OwnHost
from bench.worker.proofs import convolves_with_onednn
from bench.worker.watchdog import watchdog_cpu_s


def serve(cell: Cell, place: Place, channel: Channel, host: OwnHost) -> None:
    """Serve until the parent has heard the last word and closes the conversation.

    Going before that would look to the coordinator as if a worker had failed.
    """
    import_host_bytes, watchdog_began_s = peak_host_memory_bytes(), watchdog_cpu_s()
    device_names = _configured(cell, place)
    memory = PeakMemory(device_names)
    job, index = task_of(place)
    server = tf.distribute.Server(
        tf.train.ClusterSpec(cluster_of(place)),
        job_name=job,
        task_index=index,
        protocol="grpc",
        config=context.context().config,
        start=True,
    )
    channel.say(_serving(cell))
    while not isinstance(channel.next_command(), Finish):
        pass
    channel.say(last_word(memory, import_host_bytes, watchdog_began_s, host))
    server.join()


def _configured(cell: Cell, place: Place) -> list[str]:
    """Threads, devices and TF32 as the cell has them; weights are kept by a CPU."""
    device_names = configure_devices(cell if place.role == "worker" else without_device(cell), 1)
    tf.config.experimental.enable_tensor_float_32_execution(cell.precision == "tf32")
    return device_names


def _serving(cell: Cell) -> Serving:
    (interface, address), host = meeting_point(), socket.gethostname()
    onednn = convolves_with_onednn()
    return Serving(
        intra_op_threads=tf.config.threading.get_intra_op_parallelism_threads() or len(usable_cpus()),
        inter_op_threads=tf.config.threading.get_inter_op_parallelism_threads(),
        onednn=onednn,
        allocator=allocator(),
        gpu_models=gpu_models(),
        cpus=[f"{host} {cpu_words(sorted(usable_cpus()))}"],
        cores=[f"{host} {cpu_words(sorted(whole_cores(usable_cpus())))}"],
        addresses=[address] if address else [],
        interface=interface,
        network_settings=network_settings(),
        notes=onednn_notes(cell, switched_on=onednn),
    )
