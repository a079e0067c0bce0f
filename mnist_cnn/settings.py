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
