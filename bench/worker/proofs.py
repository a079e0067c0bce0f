"""What really ran, from the programs themselves: the kernels of the first step's graphs, XLA's HLO, a TF32 product."""

import os
import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from tensorflow.python.eager import context  # the graphs that ran are told nowhere else

_STEPS = ".*(replica_step|one_step_on_data|compiled).*"
"""Names of our own and Keras's functions that hold a step; the writing is part of the first step's seconds."""
_HLO = re.compile(r"module_\d+\.(?P<name>.+?)\.[^.]*after_optimizations\.txt")
_INSTRUCTION = re.compile(r"^\s+(ROOT )?%?[\w.-]+ = ", re.MULTILINE)


def dump_hlo() -> Path:
    """Have XLA write what it compiles, as text, to a folder of its own; to be called before its first use."""
    folder = Path(tempfile.mkdtemp(prefix="hlo-"))
    os.environ["XLA_FLAGS"] = f"--xla_dump_to={folder} --xla_dump_hlo_as_text --xla_dump_hlo_module_re={_STEPS}"
    return folder


def largest_hlo(folder: Path) -> str | None:
    """The largest optimised program that XLA has written, as its name and number of instructions; None without any."""
    programs = {path: match["name"] for path in folder.iterdir() if (match := _HLO.fullmatch(path.name))}
    counted = {name: len(_INSTRUCTION.findall(path.read_text(errors="replace"))) for path, name in programs.items()}
    if not counted:
        return None
    name, count = max(counted.items(), key=lambda pair: pair[1])
    return f"{name}: {count} instructions"


class Kernels:
    """Collects the graphs that TensorFlow runs from here on, as its optimisers have rewritten them."""

    def __init__(self) -> None:
        context.context().ensure_initialized()
        context.context().enable_graph_collection()

    def count(self) -> Counter[str]:
        """How often each kind of operation stands in the graphs that ran; ends the collecting."""
        collected = context.context().export_run_metadata()
        context.context().disable_graph_collection()
        counts: Counter[str] = Counter()
        for graph in collected.partition_graphs:
            counts.update(node.op for node in graph.node)
            counts.update(node.op for function in graph.library.function for node in function.node_def)
        return counts


def convolves_with_onednn() -> bool:
    """Whether a graph of this process's has oneDNN's kernels for a convolution."""
    convolve = tf.function(lambda images, weights: tf.nn.conv2d(images, weights, strides=1, padding="SAME"))
    kernels = Kernels()
    convolve(tf.zeros((1, 8, 8, 1)), tf.zeros((3, 3, 1, 8)))
    return uses_onednn(kernels.count())


def uses_onednn(kernels: Mapping[str, int]) -> bool:
    """Whether any of these is oneDNN's, which carry the name of the library it was part of."""
    return any(kernel.startswith("_Mkl") for kernel in kernels)


def multiplies_in_tf32(device: str) -> bool:
    """Whether a float32 matrix product on this device loses the bits that TF32 has no room for.

    TF32 has 10 bits of mantissa: 1 + 2⁻¹² becomes 1. Source: NVIDIA A100 whitepaper, "TF32".
    """
    with tf.device(device):
        product = tf.matmul(tf.fill((128, 128), 1.0 + 2.0**-12), tf.eye(128))
    return float(product[0, 0]) == 1.0
