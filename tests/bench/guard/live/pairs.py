"""Pairs of processes without processes: records made by hand."""

import math
from typing import Any

from bench.host import Conditions
from bench.store.pairs import AccuracyRecord, ComparisonRecord, PairRecord, SideRecord
from bench.store.record import EpochRecord, TrialRecord
from bench.store.windows import Window
from bench.trial import Cell, Trial

WINDOW_STEPS, STEP_S = 10, 0.1
CPU_S = 8.0
"""Of each worker of a pair, which ten seconds of two CPUs have room for."""


def side_record(*step_s: float, status: str = "ok", **more: Any) -> TrialRecord:
    """A side whose windows took so many seconds a step each; four at 0.1 s where nothing is said."""
    trial = Trial(cell=Cell(global_batch=100, epochs=0))
    one = {"phase": "window", "start_s": 0.0, "steps": WINDOW_STEPS, "loss": 1.0, "accuracy": 0.5}
    done = [Window.model_validate({**one, "window_s": WINDOW_STEPS * each}) for each in step_s or [STEP_S] * 4]
    filled: dict[str, Any] = {
        "trial": trial,
        "status": status,
        "windows": done,
        "first_step_s": 2.0,
        "peak_host_memory_bytes": 600 * 2**20,
        "worker_cpu_s": CPU_S,
    }
    return TrialRecord.model_validate(filled | more)


def pair_of(log_ratio: float = 0.0, number: int = 0, others_s: float = 0.0, **more: Any) -> PairRecord:
    """A pair whose B is exp(log_ratio) times as fast, while other programs took `others_s` CPU seconds of 20."""
    before = {"clock_s": 0.0, "cpus": 2, "busy_s": 0.0, "steal_s": 0.0}
    after = {"clock_s": 10.0, "cpus": 2, "busy_s": 2 * CPU_S + 0.5 + others_s, "steal_s": 0.0}
    filled: dict[str, Any] = {
        "number": number,
        "mode": "interleaved",
        "first": "a",
        "a": side_record(),
        "b": side_record(*[STEP_S * math.exp(-log_ratio)] * 4),
        "conditions_before": Conditions.model_validate(before),
        "conditions_after": Conditions.model_validate(after),
        "parent_cpu_s": 0.5,
    }
    return PairRecord.model_validate(filled | more)


def comparison_of(**more: Any) -> ComparisonRecord:
    """The head of a comparison of two sides that are the same; further arguments are further fields."""
    side = SideRecord(
        words="default",
        trial=Trial(cell=Cell(epochs=0)),
        workload_origin="/here",
        workload_sha256="0" * 64,
        python="/usr/bin/python3",
    )
    filled: dict[str, Any] = {
        "created_utc": "2026-01-02T03:04:05+00:00",
        "a": side,
        "b": side,
        "margin": 0.02,
        "pair_s": 12.0,
        "data": None,
        "data_sha256": "00",
        "environment": {"host": "here"},
    }
    return ComparisonRecord.model_validate(filled | more)


def accuracy_of(seed: int, a: float, b: float) -> AccuracyRecord:
    """A seed whose sides ended with these test accuracies after one epoch."""
    return AccuracyRecord(seed=seed, a=_trained(seed, a), b=_trained(seed, b))


def _trained(seed: int, accuracy: float) -> TrialRecord:
    epoch = EpochRecord(
        epoch=1,
        train_loss=0.1,
        train_accuracy=0.9,
        test_loss=0.1,
        test_accuracy=accuracy,
        train_s=1.0,
        evaluate_s=1.0,
    )
    return TrialRecord(trial=Trial(cell=Cell(epochs=1), seed=seed), status="ok", epochs=[epoch])
