"""Small synthetic records; every figure is chosen, none is measured."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from bench.protocol.answers import Ceiling, CeilingsMeasured
from bench.protocol.effective import EffectiveSettings
from bench.report.cells import CellSummary, summarise
from bench.report.rows import Row, row_of
from bench.store.record import Ceilings, EpochRecord, RunRecord, TrialRecord
from bench.store.windows import Window
from bench.trial import Cell, Status, Trial

EFFECTIVE = EffectiveSettings(
    strategy="_DefaultDistributionStrategy",
    replicas=1,
    devices=["/CPU:0"],
    variable_dtype="float32",
    compute_dtype="float32",
    xla=False,
    xla_scope="none",
    tf32=False,
    loss_scaling=False,
    cross_device_ops=None,
    optimizer="RMSprop",
    intra_op_threads=2,
    inter_op_threads=2,
    onednn=True,
    parameters=594_922,
    buffered_batches=2,
)


def windows(step_s: Sequence[float], steps: int = 10, first_step_s: float = 0.0) -> list[Window]:
    """One window of `steps` steps for each of the step times, one after the other; before them a first step, if any."""
    made, now = [], 100.0
    if first_step_s:
        made.append(Window(phase="first_step", start_s=now, window_s=first_step_s, steps=1, loss=2.0, accuracy=0.1))
        now += first_step_s
    for seconds in step_s:
        made.append(Window(phase="window", start_s=now, window_s=seconds * steps, steps=steps, loss=0.1, accuracy=0.97))
        now += seconds * steps
    return made


def epochs(*accuracies: float, loss: float | None = 0.05) -> list[EpochRecord]:
    """One epoch for each of the test accuracies; training is one hundredth behind.

    The first window of a trial starts at 100 s; the evaluation of each epoch ends 20 s after the one before.
    """
    return [
        EpochRecord(
            epoch=number,
            train_loss=None if loss is None else 2 * loss / number,
            train_accuracy=accuracy - 0.01,
            test_loss=None if loss is None else loss / number,
            test_accuracy=accuracy,
            train_s=12.0,
            evaluate_s=0.5,
            evaluate_start_s=100 + 20 * number - 0.5,
        )
        for number, accuracy in enumerate(accuracies, 1)
    ]


def record(
    cell: dict[str, Any] | None = None,
    *,
    status: Status = "ok",
    seed: int = 0,
    repeat: int = 0,
    step_s: Sequence[float] = (),
    accuracies: Sequence[float] = (),
    **rest: Any,
) -> TrialRecord:
    """A trial of a cell with these settings; `rest` are further fields of the record."""
    settings = {"epochs": len(accuracies) or 1} | (cell or {})
    filled: dict[str, Any] = {"effective": EFFECTIVE} if step_s else {}
    filled |= {"windows": windows(step_s), "epochs": epochs(*accuracies)} | rest
    return TrialRecord(trial=Trial(cell=Cell(**settings), seed=seed, repeat=repeat), status=status, **filled)


def run(records: Sequence[TrialRecord], **rest: Any) -> RunRecord:
    """The run that these trials were planned in; `rest` are further fields of it."""
    filled: dict[str, Any] = {
        "suite": "star",
        "created_utc": "2026-01-02T03:04:05Z",
        "trials": [item.trial for item in records],
        "trial_budget_s": 60.0,
        "run_budget_s": None,
        "data": None,
        "data_sha256": "0123456789abcdef" * 4,
        "environment": {},
    }
    return RunRecord(**(filled | rest))


@pytest.fixture
def build() -> SimpleNamespace:
    return SimpleNamespace(
        windows=windows, epochs=epochs, record=record, run=run, rows=rows, cells=cells, ceilings=ceilings
    )


def rows(*records: TrialRecord, ceilings: Ceilings | None = None, target: float = 0.99) -> list[Row]:
    return [row_of(item, ceilings=ceilings, target_accuracy=target) for item in records]


def cells(*records: TrialRecord, ceilings: Ceilings | None = None, target: float = 0.99) -> list[CellSummary]:
    return summarise(rows(*records, ceilings=ceilings, target=target))


def ceilings(**rest: Any) -> Ceilings:
    """Two threads: 200 GFLOP/s in float32, twice that in bfloat16, 20 GB/s; `rest` are further fields."""
    low, high, memory = (Ceiling(value=value, median=0.9 * value, n=4) for value in (200e9, 400e9, 20e9))
    both: dict[Any, Ceiling] = {"float32": low, "mixed_bfloat16": high}
    one = CeilingsMeasured(
        device="cpu",
        threads=2,
        matmul_flops_per_s=both,
        convolution_flops_per_s=both,
        memory_bytes_per_s=memory,
        dispatch_s=Ceiling(value=5e-5, median=6e-5, n=4),
    )
    filled: dict[str, Any] = {"exact_unit": "0" * 16, "usable_cpus": 2, "tensorflow": "2.21.0", "measured": [one]}
    return Ceilings(**({"measured_utc": "2026-01-02T03:04:05Z"} | filled | rest))
