"""What the harness itself cost, as one sentence for every report."""

from collections.abc import Sequence

from bench.report.rows import Row
from bench.report.text import percent


def harness_remark(rows: Sequence[Row]) -> str:
    """The highest costs over the trials that recorded them; empty where none did.

    A CPU's time and the time between windows, added up, are the most of its throughput that any trial can have lost.
    """
    costs = [(row, cost) for row in rows if (cost := row.record.harness)]
    if not costs:
        return ""
    told = all(cost.watchdog_cpu_s is not None for _, cost in costs)
    who = "parent and watchdog" if told else "parent, and watchdog where measured"
    words = [f"{percent(max(cost.cpu_share for _, cost in costs))} % of a CPU's time ({who})"]
    if gaps := [row.gap_share for row, _ in costs if row.gap_share is not None]:
        lost = max(cost.cpu_share + (row.gap_share or 0.0) for row, cost in costs)
        words += [f"{percent(max(gaps))} % between windows", f"together {percent(lost)} % of a trial's throughput"]
    sizes = [cost.exchanged_bytes / asked for row, cost in costs if (asked := _asked(row))]
    if sizes:
        words.append(f"{max(sizes):,.0f} bytes a window")
    return f"Harness, at most: {', '.join(words)}; not corrected for."


def _asked(row: Row) -> int:
    """How many windows were asked for, run-ins included: all but the first step."""
    phases = row.record.windows.phase
    return len(phases) - phases.count("first_step")
