"""How near training comes to what the machine can do: model FLOPs utilisation and the roofline. Pure arithmetic.

MFU is the share of the matmul ceiling that the model's own FLOPs make up; work done twice or beside the model does not
count (Chowdhery et al. 2022, "PaLM", appendix B; here with a measured ceiling instead of a data sheet's). The roofline
is min(peak FLOP/s, operational intensity × memory bandwidth) (Williams, Waterman & Patterson 2009, "Roofline: an
insightful visual performance model for multicore architectures").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.protocol.answers import CeilingsMeasured
from bench.protocol.effective import EffectiveSettings
from bench.trial import Cell


@dataclass(frozen=True)
class Place:
    """Where training stands under its roofs; None where anything it follows from is unknown.

    `training_flops_per_s` is FLOPs per image × images/s, `roofline_share` that over the height of the roof there,
    and `roof` which of the two it is.
    """

    training_flops_per_s: float | None = None
    mfu: float | None = None
    operational_intensity_flops_per_byte: float | None = None
    roofline_share: float | None = None
    roof: Literal["compute", "memory"] | None = None


@dataclass(frozen=True)
class Work:
    """What training one image takes by the model, and the ceilings of what it runs on; None where unknown."""

    flops_per_image: int | None
    bytes_per_image: int | None
    compute_flops_per_s: float | None = None
    memory_bytes_per_s: float | None = None

    def place(self, throughput_images_per_s: float | None) -> Place:
        """Where a throughput stands; all None without one."""
        if throughput_images_per_s is None or self.flops_per_image is None:
            return Place()
        achieved, peak = self.flops_per_image * throughput_images_per_s, self.compute_flops_per_s
        intensity = self.flops_per_image / self.bytes_per_image if self.bytes_per_image else None
        mfu = achieved / peak if peak else None
        if peak is None or intensity is None or self.memory_bytes_per_s is None:
            return Place(achieved, mfu, intensity)
        slope = intensity * self.memory_bytes_per_s
        return Place(achieved, mfu, intensity, achieved / min(peak, slope), "memory" if slope < peak else "compute")


def work_of(
    cell: Cell,
    effective: EffectiveSettings | None,
    flops_per_image: int | None,
    bytes_per_image: int | None,
    measured: Sequence[CeilingsMeasured],
) -> Work:
    """The work of a cell as it ran, under the ceilings measured for its device, precision and threads.

    The ceilings of one GPU count once per replica, those of a CPU's threads once per worker: replicas in one process
    share its cores and its ceilings.
    """
    if effective is None:
        return Work(flops_per_image, bytes_per_image)
    threads = None if cell.kind == "gpu" else threads_used(effective)
    fitting = [one for one in measured if one.device == cell.kind and one.threads == threads]
    if not fitting or cell.precision not in fitting[0].matmul_flops_per_s:
        return Work(flops_per_image, bytes_per_image)
    devices = cell.replicas if cell.kind == "gpu" else cell.workers
    compute = devices * fitting[0].matmul_flops_per_s[cell.precision].value
    return Work(flops_per_image, bytes_per_image, compute, devices * fitting[0].memory_bytes_per_s.value)


def threads_used(effective: EffectiveSettings) -> int:
    """The CPU threads that work on a step at once: one for each shard, or the pool that all operations share."""
    return max(effective.intra_op_threads, effective.shards)
