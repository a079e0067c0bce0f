"""The report to read first, as Markdown: what was found, what failed, where it ran, how to read it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.report.cells import CellSummary, summarise
from bench.report.names import short_names
from bench.report.rows import Row
from bench.report.tables import grid_of
from bench.report.text import markdown, percent, shorten, significant, with_interval
from bench.store.record import RunRecord

MOST_FACTS = 60

_HOW_TO_READ = """\
- **images/s** is the images of all steady windows divided by their seconds, never a mean of rates. Tracing and
  compiling (*first step*), warm-up windows, evaluation and start-up are not in it.
- **The interval** holds the throughput at 95 % confidence. With one trial it comes from the means of eight long
  batches of windows and is *within-process*: a second run may land outside it. With three or more trials of a cell it
  is *between processes*. Two cells whose intervals overlap are not told apart by this run.
- **step ms** are quantiles over windows of the mean step time in each window.
- **host MiB** is the peak memory of the worker process; **device MiB** the peak of one accelerator.
- **test accuracy** belongs to the epochs that were trained, not to the network's best. Ten thousand test images settle
  it to about ±0.2 percentage points near 99 %; with several seeds it is mean ± standard deviation.
- **functional, not scaling**: replicas on the CPU share the same cores. Such a row shows that the strategy works, and
  says nothing about how it would scale on devices of its own.
- **stopped by**: *target* = the interval was narrow enough, *last_look* = it was not by the last look, *epochs* = all
  epochs were trained, *budget* = the time was up, so that accuracy may be missing.
- An empty field was not measured.
"""


def write_summary(path: Path, run: RunRecord, rows: Sequence[Row], plots: Sequence[str] = ()) -> None:
    """Write the Markdown report of a run; `plots` are paths of pictures relative to it."""
    cells = summarise(rows)
    parts = [
        f"# Run of suite {markdown(run.suite)}\n\n{_asked(run, rows)}",
        f"**{_finding(cells)}**",
        f"## Results\n\n{_results(rows)}",
        *([_pictures(plots)] if plots else []),
        *_failures(rows),
        f"## Where it ran\n\n{_machine(run)}",
        f"## How to read the numbers\n\n{_HOW_TO_READ}",
    ]
    path.write_text("\n\n".join(part.strip() for part in parts) + "\n", encoding="utf-8")


def _asked(run: RunRecord, rows: Sequence[Row]) -> str:
    """What was asked and how much of it there is."""
    counts = Counter(row.record.status for row in rows)
    counted = ", ".join(f"{count} {status}" for status, count in counts.most_common()) or "none"
    missing = len({trial.trial_id for trial in run.trials} - {row.record.trial.trial_id for row in rows})
    lines = [
        *([f"{markdown(run.description)}\n"] if run.description else []),
        f"- begun: {markdown(run.created_utc)}",
        f"- trials: {len(run.trials)} planned, {len(rows)} recorded ({counted})"
        + (f"; **{missing} have no record**: the run did not reach them" if missing else ""),
        f"- data: {markdown(run.data or 'the embedded copy')} (sha256 {markdown(run.data_sha256[:12])}…)",
        f"- time budget: {_budget(run.trial_budget_s)} per trial, {_budget(run.run_budget_s)} for the run",
    ]
    return "\n".join(lines)


def _budget(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds:g} s"


def _finding(cells: Sequence[CellSummary]) -> str:
    """The fastest and the most accurate cell in one sentence."""
    names = dict(zip([cell.cell.cell_id for cell in cells], _names(cells), strict=True))
    fast = sorted((cell for cell in cells if cell.ok), key=lambda cell: -(cell.throughput_images_per_s or 0))
    if not fast or not fast[0].throughput_images_per_s:
        return "No cell was measured."
    best = fast[0]
    sentence = (
        f"Fastest: {markdown(names[best.cell.cell_id])}, "
        f"{with_interval(best.throughput_images_per_s, best.interval)} images/s{_rivals(fast)}"
    )
    learned = [cell for cell in fast if cell.test_accuracy is not None]
    if not learned:
        return f"{sentence}; no cell has a test accuracy."
    top = max(learned, key=lambda cell: cell.test_accuracy or 0)
    epochs = f"{top.cell.epochs} epoch{'s' * (top.cell.epochs != 1)}"
    return f"{sentence}; most accurate: {markdown(names[top.cell.cell_id])}, {percent(top.test_accuracy)} % after {epochs}."


def _names(cells: Sequence[CellSummary]) -> list[str]:
    return short_names([cell.cell for cell in cells])[0]


def _rivals(fast: Sequence[CellSummary]) -> str:
    """How many other cells the fastest cannot be told from."""
    best = fast[0].interval
    if best is None:
        return ""
    count = sum(1 for cell in fast[1:] if cell.interval and cell.interval.high >= best.low)
    return f" (not told apart from {count} other{'s' * (count > 1)} by their intervals)" if count else ""


def _results(rows: Sequence[Row]) -> str:
    grid = grid_of(rows)
    if not grid.lines:
        return "No trial was recorded."
    aligned = [
        "---" if place < 2 or place == len(grid.headers) - 1 else "---:" for place in range(len(grid.headers))
    ]
    lines = [_line([header.replace("\n", " ") for header in grid.headers]), _line(aligned)]
    lines += [_line([markdown(word) for word in line]) for line in grid.lines]
    shared = f"All cells: {markdown(grid.shared)}\n\n" if grid.shared else ""
    notes = [markdown(remark) for remark in grid.remarks]
    notes += [f"\\[{number}\\] {markdown(note)}" for number, note in enumerate(grid.footnotes, 1)]
    return shared + "\n".join(lines) + "\n\n" + "  \n".join(notes)


def _line(words: Sequence[str]) -> str:
    return f"| {' | '.join(words)} |"


def _pictures(plots: Sequence[str]) -> str:
    return "\n\n".join(f"![{Path(plot).stem.replace('_', ' ')}]({plot})" for plot in plots)


def _failures(rows: Sequence[Row]) -> list[str]:
    """The trials that did not end ok, with the reason and where to read on."""
    failed = [row.record for row in rows if row.record.status != "ok"]
    if not failed:
        return []
    lines = [_line(["cell", "trial", "status", "reason", "log"]), _line(["---"] * 5)]
    for record in failed:
        words = [record.trial.cell.label, record.trial.trial_id, record.status]
        words += [shorten(record.reason or "no reason was recorded"), record.log or ""]
        lines.append(_line([markdown(word) for word in words]))
    return ["## Failures and unsupported cells\n\n" + "\n".join(lines)]


def _machine(run: RunRecord) -> str:
    """The facts of the machine as they are, and beside them those that changed during the run."""
    before, after = _facts(run.environment), _facts(run.environment_after or {})
    if not before:
        return "Nothing is known of the machine."
    changed = {name for name in after if after[name] != before.get(name)}
    facts = [name for name in [*before, *sorted(changed - set(before))]]
    header = ["fact", "value", *(["after the run, where it changed"] * bool(changed))]
    lines = [_line(header), _line(["---"] * len(header))]
    for name in facts[:MOST_FACTS]:
        words = [name, before.get(name, ""), *([after[name] if name in changed else ""] if changed else [])]
        lines.append(_line([markdown(shorten(word)) for word in words]))
    more = f"\n\n… and {len(facts) - MOST_FACTS} more in run.json" if len(facts) > MOST_FACTS else ""
    return "\n".join(lines) + more


def _facts(environment: Mapping[Any, Any], prefix: str = "") -> dict[str, str]:
    """Nested facts as dotted names and short texts; what is empty is left out."""
    facts: dict[str, str] = {}
    for name, value in environment.items():
        where = f"{prefix}{name}"
        if isinstance(value, Mapping) and prefix.count(".") < 3:
            facts |= _facts(value, f"{where}.")
        elif isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value):
            for place, item in enumerate(value):
                facts |= _facts(item, f"{where}.{place}.")
        elif value not in (None, "", [], {}):
            facts[where] = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return facts
