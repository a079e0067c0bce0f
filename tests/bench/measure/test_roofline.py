"""MFU and the roofline, by hand."""

from typing import Any

import pytest

from bench.measure.roofline import Place, Work, threads_used, work_of
from bench.protocol.answers import Ceiling, CeilingsMeasured
from bench.protocol.effective import EffectiveSettings
from bench.trial import Cell


def ceiling(value: float) -> Ceiling:
    return Ceiling(value=value, median=value / 2, n=3)


def ceilings(threads: int | None, float32: float, bfloat16: float, memory: float, device: str = "cpu") -> Any:
    return CeilingsMeasured.model_validate(
        {
            "device": device,
            "threads": threads,
            "matmul_flops_per_s": {"float32": ceiling(float32), "mixed_bfloat16": ceiling(bfloat16)},
            "convolution_flops_per_s": {},
            "memory_bytes_per_s": ceiling(memory),
            "dispatch_s": ceiling(5e-5),
        }
    )


MEASURED = [
    ceilings(None, 40e12, 400e12, 3e12, device="gpu"),
    ceilings(1, 100e9, 200e9, 20e9),
    ceilings(2, 200e9, 400e9, 30e9),
]


def effective(intra: int = 2) -> EffectiveSettings:
    return EffectiveSettings(
        strategy="_DefaultDistributionStrategy",
        replicas=1,
        devices=["/device:CPU:0"],
        variable_dtype="float32",
        compute_dtype="float32",
        xla=False,
        xla_scope="none",
        tf32=False,
        loss_scaling=False,
        cross_device_ops=None,
        optimizer="RMSprop",
        intra_op_threads=intra,
        inter_op_threads=2,
        onednn=True,
        parameters=257_162,
        buffered_batches=2,
    )


def place(
    throughput: float | None = 1000.0, *, threads: int = 2, bytes_per_image: int | None = 10**6, **cell: Any
) -> Place:
    work = work_of(Cell(**cell), effective(threads), 50 * 10**6, bytes_per_image, MEASURED)
    return work.place(throughput)


def test_mfu_is_model_flops_over_the_matmul_ceiling() -> None:
    """50 MFLOP × 1,000 images/s are 50 GFLOP/s: 1/4 of 200, 1/2 of one thread's 100, 1/8 of bfloat16's 400."""
    assert place().training_flops_per_s == pytest.approx(50e9)
    assert place().mfu == pytest.approx(0.25)
    assert place(threads=1, cpu_threads=1).mfu == pytest.approx(0.5)
    assert place(precision="mixed_bfloat16").mfu == pytest.approx(0.125)


def test_flat_roof_is_the_matmul_ceiling() -> None:
    """At 50 FLOP/byte memory would allow 1,500 GFLOP/s, so that computing is the limit and the share is the MFU."""
    here = place()
    assert here.operational_intensity_flops_per_byte == pytest.approx(50)
    assert (here.roof, here.roofline_share) == ("compute", pytest.approx(0.25))


def test_slope_is_intensity_times_bandwidth() -> None:
    """At 2 FLOP/byte 30 GB/s allow 60 GFLOP/s, of which 50 are five sixths."""
    here = place(bytes_per_image=25 * 10**6)
    assert here.operational_intensity_flops_per_byte == pytest.approx(2)
    assert (here.roof, here.roofline_share) == ("memory", pytest.approx(50 / 60))
    assert here.mfu == pytest.approx(0.25)


def test_gpus_add_up_and_replicas_on_a_cpu_do_not() -> None:
    """Two GPUs have twice the ceilings of the one that was measured; two replicas on a CPU share its cores."""
    settings: dict[str, Any] = {"strategy": "mirrored", "replicas": 2}
    assert place(1e6, device="gpu", **settings).mfu == pytest.approx(50e12 / 80e12)
    assert place(1e6, device="gpu").mfu == pytest.approx(50e12 / 40e12)
    assert place(**settings).mfu == pytest.approx(0.25)
    assert place(strategy="multi_worker_mirrored", replicas=2, workers=2).mfu == pytest.approx(0.125)


@pytest.mark.parametrize(
    "unknown",
    [
        {"threads": 3},
        {"precision": "mixed_float16"},
        {"precision": "tf32", "device": "gpu"},
    ],
    ids=["threads", "precision", "precision of a GPU"],
)
def test_what_was_not_measured_is_unknown(unknown: dict[str, Any]) -> None:
    """Ceilings of other threads or another precision stand in for none."""
    here = place(**unknown)
    assert (here.mfu, here.roofline_share, here.roof) == (None, None, None)
    assert here.training_flops_per_s == pytest.approx(50e9)


def test_unknown_parts_leave_empty_what_follows_from_them() -> None:
    """Without throughput or FLOPs nothing is known; without bytes the MFU is, the roofline is not."""
    assert place(None) == Place()
    assert Work(None, 10**6, 200e9, 30e9).place(1000.0) == Place()
    assert place(bytes_per_image=None) == Place(training_flops_per_s=pytest.approx(50e9), mfu=pytest.approx(0.25))
    assert work_of(Cell(), None, 50, 10, MEASURED) == Work(50, 10)
    assert work_of(Cell(), effective(), 50, 10, []) == Work(50, 10)


@pytest.mark.parametrize(("intra", "shards", "used"), [(2, 1, 2), (1, 1, 1), (1, 2, 2), (16, 8, 16)])
def test_threads_used(intra: int, shards: int, used: int) -> None:
    """The threads of one kernel, times the parts of a step that run side by side."""
    assert threads_used(effective(intra).model_copy(update={"shards": shards})) == used
