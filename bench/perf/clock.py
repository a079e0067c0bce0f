"""The timer that pytest-benchmark reads: it moves only while a window is timed."""

from bench.report.exports.pytest_benchmark import TIMER, seconds_per_image
from bench.store.windows import Window


class WindowClock:
    """Hears of a trial's windows, and tells the sum of their seconds per image; run-in and pauses are not in it.

    It stands still between windows. pytest-benchmark finds out a timer's precision only where it chooses the number of
    iterations itself; rounds that are given (`pedantic`) never wait for it to move.
    """

    def __init__(self, global_batch: int):
        self._global_batch = global_batch
        self._seconds_per_image = 0.0

    def window(self, window: Window) -> None:
        """Move on by a window, unless it is a first step or a run-in."""
        if window.phase == "window":
            self._seconds_per_image += seconds_per_image(window, self._global_batch)

    def __call__(self) -> float:
        """Seconds per image, summed over the windows so far."""
        return self._seconds_per_image

    def __str__(self) -> str:
        return TIMER
