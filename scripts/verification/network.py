"""Claims about the diagnosis of workers whose messages are late: the network is named, and its size told."""

from collections.abc import Sequence
from pathlib import Path

from delays import STEPS
from distant import apart, cell_of
from faults import CLEAN, Condition, Fault, FaultRounds, outcomes_of
from outcomes import Outcome


def network_is_recognised(scratch: Path, delay_s: float, batch: int, looks: Sequence[int]) -> list[Outcome]:
    """Two workers whose messages are late beside two behind relays without a delay, all alive, diagnosed in turn."""
    cell, late = cell_of(2, batch, "fused"), Fault("communication", told=f"messages {1e3 * delay_s:g} ms late")
    with apart(scratch, cell, 0.0) as near, apart(scratch, cell, delay_s) as far:
        found = FaultRounds({CLEAN: Condition(near), late: Condition(far)}, STEPS)
        found.run(looks)
        return outcomes_of(found, late, len(looks))
