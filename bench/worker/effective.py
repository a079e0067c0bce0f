"""What the live worker really runs, read back from TensorFlow and Keras; buffers and notes follow from the cell."""

import os
import socket
from collections.abc import Mapping

import keras
import tensorflow as tf

from bench.measure.cpus import ONEDNN_BY_DEFAULT, cpu_flags, cpu_words, usable_cpus, whole_cores
from bench.protocol.effective import EffectiveSettings
from bench.trial import Cell
from bench.worker.built import engine_of, input_of, recipe_of, variant_of
from bench.worker.devices import allocator, computing_device, devices_of, gpu_models, homes_of
from bench.worker.network import meeting_point, network_settings
from bench.worker.proofs import multiplies_in_tf32, uses_onednn
from mnist_cnn.parameter_server import in_flight_steps
from mnist_cnn.pipeline import PREFETCHED_BATCHES
from mnist_cnn.settings import ONEDNN_SWITCH
from mnist_cnn.training import Training


def read_effective_settings(
    training: Training, cell: Cell, kernels: Mapping[str, int], hlo: str | None
) -> EffectiveSettings:
    """Read the settings of a training whose first step has run, with these `kernels` and this XLA program."""
    variables = training.model.trainable_variables
    optimizer = training.optimizer
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    updated_by = optimizer.inner_optimizer if scaled else optimizer
    recipe, learning_rate = recipe_of(updated_by)
    compiled = training.compiled_by_xla()
    onednn, updates = uses_onednn(kernels), training.updates
    whole_window = compiled and cell.engine == "fused" and cell.input == "resident"
    (interface, address), host = meeting_point(), socket.gethostname()
    return EffectiveSettings(
        strategy=type(training.strategy).__name__.removesuffix("V1"),
        replicas=training.replicas * (updates.workers if updates else 1),
        global_batch=_global_batch(training),
        devices=devices_of(training.strategy, variables[0]),
        variable_dtype=variable_dtype(training.model),
        compute_dtype=compute_dtype(training.model),
        xla=compiled and (hlo is not None or not cell.xla),  # a program is kept only where it was asked for
        xla_program=hlo,
        xla_scope="window" if whole_window else "step" if compiled else "none",
        tf32=multiplies_in_tf32(computing_device(training.strategy, variables[0])),
        loss_scaling=scaled,
        cross_device_ops=None if updates else _all_reduce(training.strategy),
        optimizer=type(updated_by).__name__,
        engine=engine_of(training),
        input=input_of(training),
        variant=variant_of(training.model),
        recipe=recipe,
        learning_rate=learning_rate,
        intra_op_threads=tf.config.threading.get_intra_op_parallelism_threads() or len(usable_cpus()),
        inter_op_threads=tf.config.threading.get_inter_op_parallelism_threads() or len(usable_cpus()),
        shards=training.shards,
        cpus=[f"{host} {cpu_words(sorted(usable_cpus()))}"],
        cores=[f"{host} {cpu_words(sorted(whole_cores(usable_cpus())))}"],
        onednn=onednn,
        allocator=allocator(),
        gpu_models=gpu_models(),
        addresses=[address] if address else [],
        interface=interface,
        network_settings=network_settings(),
        parameters=int(training.model.count_params()),
        buffered_batches=buffered_batches(cell),
        in_flight_steps=in_flight_steps(cell.engine, updates.workers) if updates else 0,
        workers=updates.workers if updates else None,
        servers=updates.servers if updates else None,
        notes=[
            *_storage_notes(cell, homes_of(variables[0])),
            *(_asynchronous_notes(cell) if updates else _notes(cell, training.shards)),
            *onednn_notes(cell, switched_on=onednn),
        ],
    )


def compute_dtype(model: keras.Model) -> str:
    """What all layers compute in, but for the last, the softmax, which every precision has in float32.

    Where layers differ, or the softmax is another, each type is named, which is no precision that a cell can ask for.
    """
    *hidden, softmax = [layer.compute_dtype for layer in model.layers]
    told = " and ".join(dict.fromkeys(hidden))
    return told if softmax == "float32" else f"{told}, softmax {softmax}"


def variable_dtype(model: keras.Model) -> str:
    """What all trainable variables are kept in; where they differ, each type."""
    return " and ".join(dict.fromkeys(variable.dtype for variable in model.trainable_variables))


def _global_batch(training: Training) -> int | None:
    """Images of a step over all workers, from the shape of what the input yields here."""
    batch: int | None = tf.nest.flatten(training.pipeline.element_spec)[0].shape[0]
    return batch if training.share is None or batch is None else batch * training.replicas


def _all_reduce(strategy: tf.distribute.Strategy) -> str | None:
    """How gradients are summed over replicas: the class, and the collective's implementation where it has one."""
    operations = getattr(strategy.extended, "_cross_device_ops", None)
    if operations is None:
        return None
    options = getattr(strategy.extended, "_communication_options", None)
    implementation = getattr(getattr(options, "implementation", None), "name", None)
    name = type(operations).__name__
    return f"{name} ({implementation})" if implementation and name == "CollectiveAllReduce" else name


def buffered_batches(cell: Cell) -> int:
    """Batches that a pause lets pile up; free inputs are as fast with a full buffer as with an empty one."""
    if cell.input != "real":
        return 0
    if cell.asynchronous:
        return (PREFETCHED_BATCHES + 1) * cell.workers
    # the map holds one batch that is done; a distributed dataset prefetches one more per replica, one onto each device
    return PREFETCHED_BATCHES + 1 + (cell.replicas_per_worker + 1 if cell.strategy != "default" else 0)


def onednn_notes(cell: Cell, *, switched_on: bool) -> list[str]:
    """Where a trial that does not ask for oneDNN has it otherwise than TensorFlow would on this CPU, and by whom."""
    if cell.kind != "cpu":
        return []
    notes, flags, fused = list[str](), cpu_flags(), cell.engine == "fused"
    by_itself = None if flags is None else bool(flags & ONEDNN_BY_DEFAULT)
    unasked = fused or by_itself
    if cell.onednn == "default" and fused and switched_on and by_itself is False:
        notes.append("oneDNN is on, which TensorFlow leaves off on this CPU")
    elif cell.onednn == "default" and unasked == (not switched_on) and _shell_says(switched_on):
        notes.append(f"oneDNN is {'on' if switched_on else 'off'}, as {ONEDNN_SWITCH} of the shell has it")
    if not (fused and switched_on):
        return notes
    if os.environ.get(_GRADIENT_KERNELS, "").lower() not in {"0", "false"}:  # as TensorFlow reads it
        notes.append(f"kernels of gradients are made anew at each step, as {_GRADIENT_KERNELS} of the shell has it")
    return notes


def _shell_says(switched_on: bool) -> bool:
    """Whether the variable has these kernels; where `fused` has set it itself and they are not built in, it has not."""
    told = os.environ.get(ONEDNN_SWITCH)
    return told is not None and switched_on == (told.lower() not in {"0", "false"})  # as TensorFlow reads it


_GRADIENT_KERNELS = "TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE"
"""Of mnist_cnn.settings.FUSED_VARIABLES, and the only one of them that no other reading tells of."""


def _storage_notes(cell: Cell, homes: list[str]) -> list[str]:
    """Where the weights live, if not with each replica, and whose are evaluated, where the replicas' differ."""
    if cell.strategy == "central_storage" and cell.replicas > 1:
        return [f"all replicas read and update one copy of the weights, on {', '.join(homes)}"]
    if cell.replicas > 1 and "batchnorm" in cell.variant and not cell.asynchronous:
        whose = "rank 0's" if cell.workers > 1 else "the first replica's"
        return [f"{whose} moving statistics are evaluated: every replica's are its own"]
    return []


def _asynchronous_notes(cell: Cell) -> list[str]:
    """What a reader must know where workers update the weights without waiting for each other."""
    update = "a step is one worker's update of the weights on the servers, with a batch of its own"
    notes = [f"asynchronous: {update}; there is no all-reduce to measure"]
    if cell.workers > 1 and cell.optimizer != "sgd":
        notes.append("what the optimizer averages or counts may lack updates that were made at the same time")
    if cell.workers > 1 and "batchnorm" in cell.variant:
        notes.append("batch-norm's moving statistics may lack batches that were trained at the same time")
    if cell.workers > 1 and "dropout" in cell.variant:
        notes.append("workers may draw the same dropout masks: they share one seed")
    return notes


def _notes(cell: Cell, shards: int) -> list[str]:
    """What a reader of the row must know about these settings."""
    notes = []
    if cell.xla and cell.engine == "fused" and cell.input != "resident":
        notes.append("XLA compiles the step only: an iterator cannot enter an XLA cluster")
    if "batchnorm" in cell.variant and cell.replicas > 1:
        notes.append("batch-norm statistics are per replica")
    if "dropout" in cell.variant and cell.replicas > 1:
        notes.append("all replicas draw the same dropout masks, as Keras seeds them")
    if shards > 1:
        notes.append(f"each step is split into {shards} shards, worked on side by side")
    if len(models := dict.fromkeys(gpu_models())) > 1:
        notes.append(f"the replicas run on different GPUs, of which the slowest sets the pace: {', '.join(models)}")
    return notes
