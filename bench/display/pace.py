"""How often the live display may be drawn without costing the measurement anything."""

LEAST_SPACING_S = 0.5
MOST_SHARE = 0.003
"""Of one CPU: drawing may take this much of the harness's budget of 1 %, on whatever machine and terminal."""
_MOST_SAVED = 4.0


class Pace:
    """Allows a drawing each half a second, or as rarely as its own cost demands; times are the caller's, in seconds.

    Up to four are saved up, of which three are kept for what cannot wait: a trial that goes on to something else.
    """

    def __init__(self, now_s: float):
        self._saved, self._at_s, self._spacing_s = _MOST_SAVED, now_s, LEAST_SPACING_S

    def allows(self, now_s: float, *, can_wait: bool) -> bool:
        """Whether to draw now."""
        self._saved = min(_MOST_SAVED, self._saved + (now_s - self._at_s) / self._spacing_s)
        self._at_s = now_s
        return self._saved >= (_MOST_SAVED if can_wait else 1.0)

    def drew(self, cost_s: float) -> None:
        """Learn what a drawing took of a CPU."""
        self._saved = max(0.0, self._saved - 1.0)
        self._spacing_s = max(LEAST_SPACING_S, cost_s / MOST_SHARE)
