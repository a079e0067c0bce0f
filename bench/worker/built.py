"""What a training was built as, told by its model, optimizer, input and program and not by its settings."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mnist_cnn.settings import Engine, Input, RecipeName, Variant
from mnist_cnn.training import Training

_LOOPS = {"While", "StatelessWhile"}


def engine_of(training: Training) -> Engine:
    """Who repeats the step: Keras's program, ours of one step, or one whose loop draws batches; ask after a step."""
    if training.model.train_function is not None:
        return "fit"
    # the public API lists no traced graphs without an input to match them by
    graphs = [concrete.graph.as_graph_def() for concrete in training.program._list_all_concrete_functions()]
    return "fused" if any(_draws_in_a_loop(graph) for graph in graphs) else "step"


def _draws_in_a_loop(graph: Any) -> bool:
    """Whether a loop's body, or what it calls, takes batches from an iterator."""
    functions = {function.signature.name: list(function.node_def) for function in graph.library.function}
    nodes = [node for body in (graph.node, *functions.values()) for node in body]
    left = [node.attr["body"].func.name for node in nodes if node.op in _LOOPS]
    within: set[str] = set()
    while left:
        within.add(name := left.pop())
        attributes = [attribute for node in functions[name] for attribute in node.attr.values()]
        called = {attribute.func.name for attribute in attributes if attribute.HasField("func")}
        left += sorted(called & functions.keys() - within)
    return any("GetNext" in node.op for name in within for node in functions[name])


def input_of(training: Training) -> Input | None:
    """What batches come from; None where the workers of a coordinator build their pipelines, each its own."""
    if training.resident is not None:
        return "resident"
    if training.updates is not None:
        return None
    return drawn_from(training.pipeline, training.share.replicas if training.share else 1)


def drawn_from(pipeline: tf.data.Dataset, replicas: int) -> Input:
    """What a pipeline that yields one of so many replicas' batches at a time draws from: one of each, or more."""
    source = pipeline
    while inputs := source._inputs():  # nothing public tells what a dataset is made of
        source = inputs[0]
    held = int(source.cardinality()) * _numbers(source)  # a negative one never ends
    return "synthetic" if held == replicas * _numbers(pipeline) else "real"


def _numbers(dataset: tf.data.Dataset) -> float:
    """How many numbers an element holds."""
    shapes = [spec.shape for spec in tf.nest.flatten(dataset.element_spec)]
    return sum(math.prod(shape) if shape.is_fully_defined() else math.inf for shape in shapes)


def variant_of(model: keras.Model) -> Variant:
    """Which of the network's variants has layers of these kinds."""
    normalises = any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)
    drops = any(isinstance(layer, keras.layers.Dropout) for layer in model.layers)
    found: dict[tuple[bool, bool], Variant] = {
        (False, False): "article",
        (True, False): "batchnorm",
        (False, True): "dropout",
        (True, True): "batchnorm_dropout",
    }
    return found[normalises, drops]


def recipe_of(optimizer: keras.Optimizer) -> tuple[RecipeName, float | None]:
    """The recipe whose learning rate changes, or does not, like this optimizer's, and the highest rate where told.

    A schedule tells it as a number that its configuration has for a warm-up or a beginning.
    """
    rate = optimizer._learning_rate  # `learning_rate` is the schedule's of this step
    if not isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        return ("tuned", None) if callable(rate) else ("article", _as_written(optimizer.learning_rate.numpy()))
    try:
        told = rate.get_config()
    except NotImplementedError:
        return "tuned", None
    highest = told.get("warmup_target") or told.get("initial_learning_rate")
    return "tuned", _as_written(highest) if isinstance(highest, float) else None


def _as_written(rate: float) -> float | None:
    """The shortest decimal that is this number in float32, as Keras keeps it: 0.001, not 0.0010000000474974513.

    None for what is not finite there.
    """
    with np.errstate(over="ignore"):
        kept = np.float32(rate)
    return float(str(kept)) if np.isfinite(kept) else None
