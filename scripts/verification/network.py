"""Claims about the diagnosis of workers whose messages are late: the network is named, and its size told."""

from collections.abc import Sequence
from pathlib import Path

from delays import STEPS, apart, cell_of
from faults import CLEAN, Fault, FaultRounds, outcomes_of
from outcomes import Outcome

TRIED_STEPS = 10


def network_is_recognised(scratch: Path, delay_s: float, batch: int, looks: Sequence[int]) -> list[Outcome]:
    """Two workers whose messages are late beside two behind relays without a delay, all alive, diagnosed in turn."""
    cell = cell_of(2, batch, "fused")
    with apart(scratch, cell, 0.0) as near, apart(scratch, cell, delay_s) as far:
        near_s, far_s = (min(side.step_s(TRIED_STEPS) for _ in range(2)) for side in (near, far))
        late = Fault("communication", round(far_s / near_s - 1, 1))
        found = FaultRounds({CLEAN: near, late: far}, STEPS)
        found.run(looks)
        return outcomes_of(found, late, len(looks))
