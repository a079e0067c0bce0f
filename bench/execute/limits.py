"""How long things may take."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a trial may take, in seconds; `target` is the half width that ends an open-ended one.

    `budget_s` is for training and evaluation once the first step is done; reaching it is no failure. The
    others are deadlines: missing one is a `timeout`. A window's grows with what windows took so far.
    `diagnosis_s` is the time that a diagnosis may take after all else; None where none is wanted. Without
    `communication` the all-reduces of several replicas are not measured.
    """

    budget_s: float | None = None
    diagnosis_s: float | None = None
    communication: bool = True
    target: float = 0.03
    hello_s: float = 60.0
    ready_s: float = 900.0
    answer_s: float = 120.0
    window_patience: float = 20.0
