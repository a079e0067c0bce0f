"""The statistics that pytest-benchmark keeps of a benchmark's rounds, by its own definitions."""

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence


def benchmark_stats(data: Sequence[float]) -> dict[str, object]:
    """What pytest-benchmark 5.3.1 derives from the seconds of one round each (its `stats.Stats`), and the data.

    Quartiles are those of Tukey's hinges where the number of rounds is even, else of "method 3"
    (https://en.wikipedia.org/wiki/Quartile#Computing_methods). `ops` is rounds ÷ total. Raises ValueError without data.
    """
    if not data:
        raise ValueError("no rounds")
    ordered, mean = sorted(data), statistics.mean(data)
    stddev = statistics.stdev(data) if len(data) > 1 else 0
    q1, q3 = _quartiles(ordered)
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    beyond_stddev, beyond_iqr = _outside(data, mean - stddev, mean + stddev), _outside(data, low, high)
    total = sum(data)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": stddev,
        "rounds": len(data),
        "median": statistics.median(data),
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": beyond_iqr,
        "stddev_outliers": beyond_stddev,
        "outliers": f"{beyond_stddev};{beyond_iqr}",
        "ld15iqr": ordered[bisect_left(ordered, low)],
        "hd15iqr": ordered[bisect_right(ordered, high) - 1],
        "ops": len(data) / total if total else 0,
        "total": total,
        "data": list(data),
        "iterations": 1,
    }


def _quartiles(ordered: Sequence[float]) -> tuple[float, float]:
    count = len(ordered)
    if count == 1:
        return ordered[0], ordered[0]
    n, rest = divmod(count, 4)
    if rest in {0, 2}:
        return statistics.median(ordered[: count // 2]), statistics.median(ordered[count // 2 :])
    if rest == 1:
        return 0.25 * ordered[n - 1] + 0.75 * ordered[n], 0.75 * ordered[3 * n] + 0.25 * ordered[3 * n + 1]
    return 0.75 * ordered[n] + 0.25 * ordered[n + 1], 0.25 * ordered[3 * n + 1] + 0.75 * ordered[3 * n + 2]


def _outside(data: Sequence[float], low: float, high: float) -> int:
    return sum(not low <= value <= high for value in data)
