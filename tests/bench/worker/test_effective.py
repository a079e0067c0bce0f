"""What is read back of a model, whoever built it."""

import keras
import pytest

from bench.worker.effective import compute_dtype, variable_dtype

HALF = "mixed_float16"


@pytest.mark.parametrize(
    ("policies", "compute", "variables"),
    [
        pytest.param(["float32", "float32", "float32"], "float32", "float32", id="float32"),
        pytest.param([HALF, HALF, "float32"], "float16", "float32", id="mixed, as asked"),
        pytest.param([HALF, "float32", "float32"], "float16 and float32", "float32", id="a layer left out"),
        pytest.param([HALF, HALF, HALF], "float16, softmax float16", "float32", id="softmax too"),
        pytest.param(["float32", "float16", "float32"], "float32 and float16", "float32 and float16", id="weights too"),
    ],
)
def test_precision_is_that_of_every_layer(policies: list[str], compute: str, variables: str) -> None:
    """One type is told only where all layers but the softmax have it, and all weights; else each is named."""
    dense = [keras.layers.Dense(2, dtype=policy) for policy in policies]
    model = keras.Sequential([keras.Input((4,)), *dense])
    assert (compute_dtype(model), variable_dtype(model)) == (compute, variables)
