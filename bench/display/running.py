"""The trial that is being executed: what it does, and the speed of its windows so far."""

from array import array
from collections import deque
from dataclasses import dataclass

import numpy as np

from bench.display.sparkline import sparkline
from bench.measure.statistics import FEWEST, Interval, throughput_images_per_s, throughput_interval
from bench.measure.stopping import LOOKS, alpha_of
from bench.report.text import significant
from bench.report.timed import Timed, steady_windows
from bench.store.windows import Window
from bench.trial import Trial

_MOST_SHOWN = LOOKS[-1]


@dataclass(frozen=True)
class Speed:
    """The throughput of the steady windows so far, with the interval that a record of them would have."""

    images_per_s: float
    interval: Interval | None
    windows: int


class Running:
    """What is heard of one trial, and what a person wants to know of it; `target` is the half width that ends one."""

    def __init__(self, trial: Trial, target: float):
        self.trial, self.doing = trial, "starting"
        self._target = target if trial.cell.epochs == 0 else None
        self._steps, self._window_s, self._short = array("d"), array("d"), array("b")
        self._rates: deque[float] = deque(maxlen=_MOST_SHOWN)

    def hear(self, window: Window) -> None:
        """One more window; what is no measurement is no throughput."""
        if window.phase == "window":
            self._steps.append(window.steps)
            self._window_s.append(window.window_s)
            self._short.append(window.short)
            self._rates.append(window.steps * self.trial.cell.global_batch / window.window_s)

    def speed(self) -> Speed | None:
        """What the windows so far come to; None without any."""
        measured = Timed(np.array(self._steps), np.array(self._window_s), np.array(self._short, bool))
        steady, _ = steady_windows(measured)
        batch = self.trial.cell.global_batch
        throughput = throughput_images_per_s(steady.steps, steady.window_s, batch)
        if throughput is None:
            return None
        alpha = alpha_of("epochs" if self._target is None else "target", len(measured))
        return Speed(throughput, throughput_interval(steady.steps, steady.window_s, batch, alpha), len(measured))

    def words(self, width: int) -> tuple[str, str]:
        """Two lines of so many characters: the throughput with its last windows as bars, and how sure it is."""
        speed = self.speed()
        if speed is None:
            return "", ""
        figure = f"{significant(speed.images_per_s)} images/s  "
        line = sparkline(list(self._rates), width - len(figure))
        return figure + line, f"{self._certainty(speed)} · {self._windows(speed.windows)}"

    def _certainty(self, speed: Speed) -> str:
        of = "" if self._target is None else f" of ±{100 * self._target:g} %"
        if speed.interval is None:
            return f"no interval yet{of}"
        return f"±{100 * speed.interval.half_width(speed.images_per_s):.1f} %{of}"

    def _windows(self, count: int) -> str:
        """How many there are, and when the stopping rule looks at them, or else when there is an interval."""
        told = f"{count} window{'s' * (count != 1)}"
        if self._target is not None:
            look = next((look for look in LOOKS if look > count), None)
            return told + (f", next look at {look}" if look else "")
        return told + (f", an interval takes {FEWEST}" if count < FEWEST else "")
