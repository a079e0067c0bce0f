"""The choices a training run is made of, without TensorFlow."""

from dataclasses import dataclass
from typing import Literal

Engine = Literal["fit", "step", "fused"]
Input = Literal["real", "synthetic", "resident"]
Variant = Literal["article", "batchnorm", "dropout", "batchnorm_dropout"]
RecipeName = Literal["article", "tuned"]
Optimizer = Literal["rmsprop", "sgd", "adam"]
LearningRateRule = Literal["linear", "sqrt"]

ARTICLE_BATCH = 200
"""The published global batch; the learning-rate rules scale from it."""
SMALLEST_SHARD = 8
"""Images: below that a shard's fixed costs (weights laid out anew for each kernel) exceed what a core saves."""
MOST_SHARDS = 8
"""Each shard has gradients of its own, a megabyte to be added up."""


ONEDNN_SWITCH = "TF_ENABLE_ONEDNN_OPTS"
"""The variable that TensorFlow reads as it is imported. On a CPU `fused` sets it to 1: where the CPU has neither VNNI
nor bfloat16 units TensorFlow's own choice is 0 (tensorflow/core/util/port.cc), whatever the faster one would be."""
FUSED_VARIABLES = {ONEDNN_SWITCH: "1", "TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE": "false"}
"""What `fused` sets on a CPU where nobody else has. Unless the second is false, TensorFlow makes the kernels of
gradients anew at every step, to save the memory that they work in (do_not_cache in tensorflow/core/kernels/mkl)."""


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """One training run.

    `learning_rate` is a value, a rule that scales the recipe's own rate by global batch, or None for the
    recipe's own rate. `epochs` sets the length of the recipe's schedule; 0 means "as long as asked",
    with the schedule of one epoch. `seed` fixes the initial weights, the data order and dropout.
    """

    variant: Variant = "article"
    recipe: RecipeName = "article"
    optimizer: Optimizer = "rmsprop"
    learning_rate: float | LearningRateRule | None = None
    engine: Engine = "step"
    input: Input = "real"
    xla: bool = False
    global_batch: int = ARTICLE_BATCH
    epochs: int = 10
    seed: int = 0

    def shards(self, cores: int) -> int:
        """Into how many parts `fused` cuts each batch on a CPU with so many cores, to train them side by side.

        One thread per part wastes less than all threads in each operation, for the operations are too small to
        share. One part where the parts would not add up to the same step (batch-norm's statistics and dropout's
        masks are of a batch), and under XLA, whose programs have threads of their own.
        """
        if self.engine != "fused" or self.variant != "article" or self.xla:
            return 1
        return max(1, min(cores, MOST_SHARDS, self.global_batch // SMALLEST_SHARD))
