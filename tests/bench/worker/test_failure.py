"""What libraries throw becomes a status and one line that says what was asked and what was free."""

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.trial import Cell
from bench.worker.failure import failure_of

GPU, CPU = Cell(device="gpu", replicas=2, strategy="mirrored"), Cell()
MIB = 2**20


class ResourceExhaustedError(Exception):
    """As TensorFlow's is called."""


class InternalError(Exception):
    """Likewise."""


@pytest.fixture
def free_on_gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has both GPUs of a trial so many bytes free; None where the driver does not tell."""

    def stand_in(free: int | None) -> None:
        # there is no GPU here: all that TensorFlow and NVML say of one comes through this module
        devices = SimpleNamespace(free_device_memory_bytes=lambda replicas: {2: free}[replicas])
        monkeypatch.setitem(sys.modules, "bench.worker.devices", devices)

    return stand_in


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        pytest.param(
            ResourceExhaustedError(
                "Graph execution error:\n\nDetected at node conv2d defined at (most recent call last):\n"
                "OOM when allocating tensor with shape[32768,32,26,26] and type float on "
                "/job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc\n\t [[{{node conv2d}}]]"
            ),
            "asked for 2,704 MiB (a tensor float[32768,32,26,26])",
            id="TensorFlow's allocator",
        ),
        pytest.param(
            ResourceExhaustedError("OOM when allocating tensor with shape[8] and type variant on GPU:0"),
            "asked for a tensor variant[8]",
            id="type of no known size",
        ),
        pytest.param(
            ResourceExhaustedError("OOM when allocating tensor with shape[] and type float on GPU:0"),
            "asked for 4 bytes (a tensor float[])",
            id="scalar on a full card",
        ),
        pytest.param(
            InternalError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 123 bytes."),
            "asked for 123 bytes",
            id="XLA",
        ),
        pytest.param(
            InternalError("Out of memory while trying to allocate 8.25GiB."), "asked for 8,448 MiB", id="newer XLA"
        ),
        pytest.param(
            InternalError("gpu_async_0 cuMemAllocAsync failed to allocate 5242880 bytes: CUDA error: out of memory"),
            "asked for 5 MiB",
            id="cuda_malloc_async",
        ),
        pytest.param(
            InternalError("Allocator (GPU_0_bfc) ran out of memory trying to allocate 2.00GiB (rounded to 2147483648)"),
            "asked for 2,048 MiB",
            id="bfc",
        ),
        pytest.param(
            InternalError("No algorithm worked! Error messages:\n  Profiling failure on CUDNN engine 1: "
                          "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 4096000 bytes."),
            "asked for 4 MiB",
            id="autotuning of convolutions",
        ),
        pytest.param(
            InternalError("Could not create cublas handle: CUBLAS_STATUS_ALLOC_FAILED"),
            "asked for an amount that is not told "
            "(InternalError: Could not create cublas handle: CUBLAS_STATUS_ALLOC_FAILED)",
            id="cuBLAS",
        ),
    ],
)  # fmt: skip
def test_memory_of_a_gpu(free_on_gpu: Any, error: Exception, asked: str) -> None:
    """Every library's own words become what was asked; the driver says what it had left."""
    free_on_gpu(100 * MIB)
    failed = failure_of(error, GPU)
    assert failed.status == "oom"
    assert failed.reason == f"out of memory: {asked}; 100 MiB of the GPU's memory free after that"
    free_on_gpu(None)
    assert failure_of(error, GPU).reason == f"out of memory: {asked}; what was free is not told"


def test_libraries_that_found_no_memory_for_themselves(free_on_gpu: Any) -> None:
    """A cuDNN that cannot start is out of memory where hardly any is left, else installed wrongly."""
    error = InternalError("Failed to get convolution algorithm. This is probably because cuDNN failed to initialize")
    statuses = []
    for free in (300 * MIB, 4096 * MIB, None):
        free_on_gpu(free)
        statuses.append(failure_of(error, GPU).status)
    assert statuses == ["oom", "error", "error"]
    assert failure_of(error, CPU).status == "error"


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (MemoryError("std::bad_alloc"), "asked for an amount that is not told (MemoryError: std::bad_alloc)"),
        (MemoryError(), "asked for an amount that is not told (MemoryError: no message)"),
        (
            ResourceExhaustedError("OOM when allocating tensor with shape[1024,1024] and type half on "
                                   "/job:localhost/replica:0/task:0/device:CPU:0 by allocator cpu"),
            "asked for 2 MiB (a tensor half[1024,1024])",
        ),
    ],
)  # fmt: skip
def test_memory_of_the_host(free_on_gpu: Any, error: Exception, asked: str) -> None:
    """It can run out in a trial on GPUs too, and then theirs is none of the matter."""
    free_on_gpu(100 * MIB)
    for cell in (CPU, GPU, None):
        failed = failure_of(error, cell)
        assert failed.status == "oom"
        assert failed.reason.startswith(f"out of memory: {asked}; ")
        assert failed.reason.endswith(" MiB of the host's memory free after that")


def test_numpy_that_is_refused_an_array() -> None:
    """No system has an exbibyte; numpy says itself how much that is."""
    with pytest.raises(MemoryError) as caught:
        np.empty(2**60, np.uint8)
    failed = failure_of(caught.value, CPU)
    assert failed.status == "oom"
    assert failed.reason.startswith("out of memory: asked for 1,099,511,627,776 MiB; ")


def test_other_errors_are_errors(free_on_gpu: Any) -> None:
    """A reason is one line: the one that says what went wrong, under all that TensorFlow puts before it."""
    free_on_gpu(0)
    error = InternalError("in user code:\n\n    File model.py, line 3\n    ValueError: shapes do not match\n")
    failed = failure_of(error, GPU)
    assert (failed.status, failed.reason) == ("error", "ValueError: shapes do not match")


@pytest.mark.parametrize(
    ("task", "told"), [("worker/replica:0/task:1", "worker 1"), ("ps/replica:0/task:0", "server 0")]
)
def test_memory_of_one_who_serves(task: str, told: str) -> None:
    """A coordinator hears it from TensorFlow: the row says whose memory it was, and nothing of the coordinator's."""
    device = f"/job:{task}/device:CPU:0"
    error = ResourceExhaustedError(f"OOM when allocating tensor with shape[64,64] and type float on {device} by cpu")
    failed = failure_of(error, CPU.model_copy(update={"strategy": "parameter_server"}))
    assert failed.status == "oom"
    expected = f"out of memory of {told}: asked for 16,384 bytes (a tensor float[64,64]); what was free is not told"
    assert failed.reason == expected
