"""What a verification of the guard takes, in its short and its full mode: every size and number of it stands here."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.plan.axes import Settings

CELL: Settings = {"engine": "fused", "input": "resident", "global_batch": 64}
"""No input to drain after each turn, and a step that two cores share out evenly: the quietest cell of those tried."""
INPUT_CELL: Settings = {"engine": "fused", "global_batch": 64}
ACCURACY_CELL: Settings = {"engine": "fused"}
INPUT_SHARE = 1.5
"""What a batch of the input-bound cell sleeps, over a clean step: twice what noise of a step could hide."""
BAD_RATE = 0.00045
"""Of RMSprop in place of 0.001: after an epoch 0.0005 cost 0.8 points over 16 seeds, and 0.0004 1.4 of seed 0, so a
point is lost between these two. What it costs over all seeds is measured by the verdict itself."""
ACCURACY_EPOCHS = 1
MARGIN = 0.02
BESIDE_A_HOG = ("hog",)


@dataclass(frozen=True)
class Mode:
    """One mode: most seconds of windows in a pair, and how many verdicts of each kind and size (extra time a step)."""

    name: str
    pair_s: float
    verdicts: Mapping[tuple[str, float], int]
    calibrations: int
    """Processes of each side in which the cost of what is planted is measured."""
    sized: int
    """Processes of each side in which extra compute, and none, is measured without the guard; 0: not at all."""
    patience_s: float
    """How long a verdict waits for a quiet machine."""
    must_be_quiet: bool
    """Whether a verdict is left for another start where that did not come."""


SHORT = Mode(
    name="short",
    pair_s=15.0,
    verdicts={("identical", 0.0): 3, ("compute", 0.05): 3, ("leak", 50.0): 1},
    calibrations=1,
    sized=0,
    patience_s=30,
    must_be_quiet=False,
)
FULL = Mode(
    name="full",
    pair_s=15.0,
    verdicts={
        ("identical", 0.0): 20,
        ("compute", 0.05): 20,
        ("compute", 0.02): 4,
        ("compute", 0.03): 6,
        ("compute", 0.10): 3,
        ("input identical", 0.0): 3,
        ("input", 0.05): 3,
        ("stall", 0.05): 3,
        ("leak", 50.0): 2,
        ("hog", 0.0): 3,
        ("rate identical", 0.0): 1,
        ("rate", BAD_RATE): 1,
    },
    calibrations=3,
    sized=6,
    patience_s=3600,
    must_be_quiet=True,
)
