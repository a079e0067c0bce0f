"""What a trial's GPUs did while its windows ran: figures from raw samples, on the clock that both carry.

Figures over windows are those of samples between the first steady window's start and the last one's end.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.measure.energy import FLOATS, SHORTEST_STRETCH_S, Samples, Stretch, energy_j, power_integral_j

DISAGREE = 0.05
"""Share by which the counter and the integral of power may differ before both are shown."""
IDLE = 0.5
"""Mean utilisation below which a fast number is suspicious: the GPU waits for something."""
THROTTLES = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "heat (driver)",
    0x40: "heat (hardware)",
    0x80: "power brake",
}
"""NVML's clocks event reasons that take clocks away; idle, set clocks, sync boost and display are none (nvml.h)."""
EARLY_S = 1.0
"""Ten samples: where more are missing at the end, a note says so."""
EDGE_S = 0.05
"""Half a sampling period: what a sample says of the time around it."""


@dataclass(frozen=True)
class GpuFigures:
    """Of all GPUs of a trial together; None where not measured.

    Memory is the highest of any GPU (of all its processes, and of the trial's worker alone), energy and power are sums
    over the GPUs, so is traffic, utilisation and clocks are means over them.
    `throttled_windows` is the share of those that all GPUs tell of, and their numbers count steady windows from 1.
    `ecc_errors` are those since the trial began.
    `energy_integral_j` is the integral of power over the same stretch, a cross-check of the counter.
    """

    nvml_peak_memory_bytes: int | None = None
    nvml_worker_peak_memory_bytes: int | None = None
    utilisation_mean: float | None = None
    utilisation_p95: float | None = None
    power_w: float | None = None
    energy_j: float | None = None
    energy_integral_j: float | None = None
    energy_stretch_s: float | None = None
    energy_idle_share: float | None = None
    images_per_j: float | None = None
    sm_clock_mhz: float | None = None
    memory_clock_mhz: float | None = None
    temperature_c: float | None = None
    throttled_windows: float | None = None
    throttled_window_numbers: tuple[int, ...] = ()
    pcie_tx_bytes_per_s: float | None = None
    pcie_rx_bytes_per_s: float | None = None
    nvlink_tx_bytes_per_s: float | None = None
    nvlink_rx_bytes_per_s: float | None = None
    ecc_errors: int | None = None
    notes: tuple[str, ...] = field(default=())


def throttled(samples: Sequence[Samples], start_s: float, end_s: float) -> list[str] | None:
    """What took clocks away from any GPU during a window; None where one of them does not tell."""
    mask = 0
    for one in samples:
        _, reasons = one.between(start_s - EDGE_S, end_s + EDGE_S).known("event_reasons")
        if not len(reasons):
            return None
        mask |= int(np.bitwise_or.reduce(reasons.astype(np.int64)))
    return [name for bit, name in THROTTLES.items() if mask & bit]


def figures_of(
    samples: Sequence[Samples],
    windows: Sequence[tuple[float, float]],
    stretch: Stretch | None,
    names: Sequence[str] = (),
) -> GpuFigures:
    """The figures of a trial whose steady windows are given as (start, seconds); of no samples all are None.

    `names` are the GPUs', for notes on one of several.
    """
    if not samples or not windows:
        return GpuFigures()
    start_s, end_s = windows[0][0], windows[-1][0] + windows[-1][1]
    steady = [one.between(start_s, end_s) for one in samples]
    every = [throttled(samples, begun, begun + seconds) for begun, seconds in windows]
    hits = [hit for hit in every if hit is not None]
    measured = _energy(samples, stretch)
    utilisation = [one.known("utilisation")[1] for one in steady]
    share = _mean(utilisation)
    named = names if len(names) == len(samples) > 1 else ()
    slow = [name for name, one in zip(named, samples, strict=False) if any(hits) and _throttles(one, windows)]
    notes = [*_ending_notes(samples, end_s), *_throttle_notes(hits, slow), *_energy_notes(measured, stretch)]
    notes += _idle_notes(utilisation, named)
    return GpuFigures(
        nvml_peak_memory_bytes=_highest(steady, "memory_used_bytes"),
        utilisation_mean=share,
        utilisation_p95=_quantile(utilisation, 0.95),
        power_w=_sum_of_means([one.known("power_w")[1] for one in steady]),
        **measured,
        sm_clock_mhz=_mean([one.known("sm_clock_mhz")[1] for one in steady]),
        memory_clock_mhz=_mean([one.known("memory_clock_mhz")[1] for one in steady]),
        temperature_c=_quantile([one.known("temperature_c")[1] for one in steady], 1.0),
        throttled_window_numbers=tuple(number for number, hit in enumerate(every, 1) if hit),
        throttled_windows=sum(map(bool, hits)) / len(hits) if hits else None,
        **_traffic(steady),
        ecc_errors=_growth([one.known("ecc_errors")[1] for one in samples]),
        notes=tuple(notes),
    )


def _traffic(steady: Sequence[Samples]) -> dict[str, Any]:
    """Bytes a second of all GPUs: means of PCIe's rates, and what NVLink's counters went up by over their time."""
    rates = {name: [one.known(name)[1] for one in steady] for name in ("pcie_tx_bytes_per_s", "pcie_rx_bytes_per_s")}
    counters = {name: [one.known(name) for one in steady] for name in ("nvlink_tx_bytes", "nvlink_rx_bytes")}
    return {
        **{name: _sum_of_means(columns) for name, columns in rates.items()},
        **{f"{name}_per_s": _sum([_rate(*counted) for counted in columns]) for name, columns in counters.items()},
    }


def _rate(at_s: FLOATS, counted: FLOATS) -> float | None:
    """How fast a counter went up; None where it was not read twice, or began anew meanwhile."""
    if len(at_s) < 2 or at_s[-1] <= at_s[0] or np.any(np.diff(counted) < 0):
        return None
    return float((counted[-1] - counted[0]) / (at_s[-1] - at_s[0]))


def _energy(samples: Sequence[Samples], stretch: Stretch | None) -> dict[str, Any]:
    """Energy of all GPUs over the stretch, and its images per joule; nothing where the stretch is too short."""
    if stretch is None or stretch.seconds < SHORTEST_STRETCH_S:
        return {}
    counted = _sum([energy_j(one, stretch) for one in samples])
    integral = _sum([power_integral_j(one, stretch) for one in samples])
    if counted is None and integral is None:
        return {}
    return {
        "energy_j": counted,
        "energy_integral_j": integral,
        "energy_stretch_s": stretch.seconds,
        "energy_idle_share": stretch.idle_share,
        "images_per_j": stretch.images / counted if counted else None,
    }


def _energy_notes(measured: Mapping[str, Any], stretch: Stretch | None) -> list[str]:
    if stretch is None or stretch.seconds < SHORTEST_STRETCH_S:
        longest = 0.0 if stretch is None else stretch.seconds
        return [f"no energy: it takes {SHORTEST_STRETCH_S:g} s of windows on end, the longest were {longest:.1f} s"]
    counted, integral = measured.get("energy_j"), measured.get("energy_integral_j")
    if counted and integral and abs(integral / counted - 1) > DISAGREE:
        return [f"energy: the counter says {counted:,.0f} J, power over time {integral:,.0f} J"]
    return []


def _ending_notes(samples: Sequence[Samples], end_s: float) -> list[str]:
    """Where a GPU's samples end early, its figures are of a part of the windows only."""
    early_s = max((end_s - float(one.at_s[-1]) for one in samples if len(one.at_s)), default=0.0)
    return [f"telemetry ends {early_s:.0f} s before the last window does"] if early_s > EARLY_S else []


def _idle_notes(utilisation: Sequence[FLOATS], named: Sequence[str]) -> list[str]:
    """Where the one that was used least makes the figure suspicious."""
    means = [(float(column.mean()), place) for place, column in enumerate(utilisation) if len(column)]
    lowest, place = min(means, default=(1.0, 0))
    if lowest >= IDLE:
        return []
    which = named[place] if named else "the GPU" if len(utilisation) == 1 else "a GPU"
    told = f"{which} was used {100 * lowest:.0f} % of the time"
    return [f"suspicious: {told}, so the figure is not what it can do"]


def _throttles(samples: Samples, windows: Sequence[tuple[float, float]]) -> bool:
    """Whether this GPU's clocks were taken away in any of the windows."""
    return any(throttled([samples], begun, begun + seconds) for begun, seconds in windows)


def _throttle_notes(hits: Sequence[Sequence[str]], slow: Sequence[str]) -> list[str]:
    """Each reason with the share of windows that it hit, and of several GPUs which."""
    names = dict.fromkeys(name for hit in hits for name in hit)
    shares = [f"{name} in {100 * sum(name in hit for hit in hits) / len(hits):.0f} % of windows" for name in names]
    which = f" ({'; '.join(slow)})" if slow else ""
    return [f"clocks throttled: {', '.join(shares)}{which}"] if shares else []


def _sum(figures: Sequence[float | None]) -> float | None:
    """The sum; None where one is not known, for the rest would pass for all."""
    known = [figure for figure in figures if figure is not None]
    return math.fsum(known) if known and len(known) == len(figures) else None


def _mean(columns: Sequence[FLOATS]) -> float | None:
    """The mean over GPUs of each one's mean."""
    means = [float(column.mean()) if len(column) else None for column in columns]
    total = _sum(means)
    return None if total is None else total / len(means)


def _sum_of_means(columns: Sequence[FLOATS]) -> float | None:
    return _sum([float(column.mean()) if len(column) else None for column in columns])


def _quantile(columns: Sequence[FLOATS], share: float) -> float | None:
    """A quantile over the samples of all GPUs; None where one of them tells nothing."""
    if not all(map(len, columns)):
        return None
    pooled = np.concatenate(columns)
    return float(np.quantile(pooled, share)) if len(pooled) else None


def _highest(samples: Sequence[Samples], name: str) -> int | None:
    columns = [one.known(name)[1] for one in samples]
    return int(max(column.max() for column in columns)) if all(map(len, columns)) else None


def _growth(columns: Sequence[FLOATS]) -> int | None:
    """By how much counters went up together; None where one is not told."""
    grown = _sum([float(column[-1] - column[0]) if len(column) else None for column in columns])
    return None if grown is None else int(grown)
