"""The report to read first, as Markdown: what was found, what failed, where it ran, how to read it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.report.bounds import HEADERS as BOUNDS_HEADERS
from bench.report.bounds import bounds_lines
from bench.report.ceilings import HEADERS, ceilings_lines
from bench.report.cells import CellSummary
from bench.report.further import for_markdown, further_tables
from bench.report.hosts import HEADERS as HOSTS_HEADERS
from bench.report.hosts import hosts_lines, hosts_remarks
from bench.report.largest import largest_batches
from bench.report.names import short_names
from bench.report.ranking import accuracy_finding, fastest
from bench.report.rows import Row
from bench.report.tables import WORDS, grid_of
from bench.report.text import markdown, shorten, with_interval
from bench.store.record import Ceilings, RunRecord

MOST_FACTS = 60
_DEEPEST = 3

_HOW_TO_READ = """\
- **images/s** is the images of all steady windows divided by their seconds, never a mean of rates. Tracing and
  compiling (*first step*), warm-up windows, evaluation and start-up are not in it.
- **first step** is the first training step, tracing and compiling included. **Warm-up windows** come after it: timed
  windows before the step time had settled. They are another thing, and `warmup_windows` in trials.csv counts them.
  Where leaving them out moved the throughput by more than 1 %, a footnote tells it with them.
- **The interval** holds the throughput at 95 % confidence, and **over** names its kind. Over *windows*, with
  one trial, it comes from the means of batches of windows, as correlated as they may be, and is *within-process*: a
  second run may land outside it. Over *processes*, with n = 3 or more trials of a cell, it is between them. Two trials
  have none. Two cells whose intervals between processes overlap are not told apart. Cells of one trial each may change
  places in a rerun, whatever their intervals: the fastest of them is that of this one run.
- **step ms** are quantiles over windows of the mean step time in each window.
- **MFU** is the model's own FLOPs × images/s ÷ the best matmul FLOP/s measured on this very machine, in the cell's
  precision and with its threads; *roofline_share* in trials.csv divides by what memory bandwidth allows, where that is
  less. It is empty without ceilings: run `bench env --measure` once, and later runs have it. Above 100 % the ceilings
  were measured on a busier machine than the run.
- **bound by** (`--diagnose`) names that one of input, dispatch and communication whose removal would gain most, if the
  gain is proven and a tenth of the step or more; else compute. Probes, run in turn with the trial as it is, do without
  one cost after the other: *fused* dispatches a window at once, *resident* is fused and has its data on the device. As
  it is minus fused is dispatch, fused minus resident is input, communication is the all-reduce alone, compute the rest.
  A cost that hides behind another costs nothing; what fusing itself loses is taken off the gain of the input.
- **Harness** is what measuring took away at most, in any trial: the CPU time of the parent and the watchdog while
  windows ran, as a share of one CPU's time (the most throughput that it can have cost: a step that waits for all its
  threads waits for the one whose CPU was taken), the time between windows that follow each other as a share of theirs,
  and the messages.
- **host MiB** is the peak memory of the worker process while it trained, **import MiB** what TensorFlow and Keras alone
  had taken of it once imported; **device MiB** the peak of one accelerator.
- **test accuracy** belongs to the epochs that were trained, not to the network's best. Ten thousand test images settle
  it to about ±0.2 percentage points near 99 %; with several seeds it is mean ± standard deviation. A cell is called the
  most accurate only if it and every other have 3 seeds or more and it leads each by more than their two standard
  deviations together.
- **s to a target**, where any cell reached it, is the time from the start of the first step, tracing and compiling
  included, to the end of the evaluation that first found the target test accuracy. Evaluation is on this clock, and is
  made once an epoch. Of several trials it is the median of those that reached it, k/n where not all did.
- **functional, not scaling**: replicas on the CPU share the same cores. Such a row shows that the strategy works, and
  says nothing about how it would scale on devices of its own. Workers that were bound to cores of their own are not
  marked.
- **stopped by**: *target* = the interval was narrow enough, *last_look* = it was not by the last look, *epochs* = all
  epochs were trained, *budget* = the time was up, so that accuracy may be missing.
- An empty field was not measured.
"""


def write_summary(path: Path, run: RunRecord, cells: Sequence[CellSummary], plots: Sequence[str] = ()) -> None:
    """Write the Markdown report of a run; `plots` are paths of pictures relative to it."""
    rows = [row for cell in cells for row in cell.rows]
    parts = [
        f"# Run of suite {markdown(run.suite)}\n\n{_asked(run, rows)}",
        _largest(run, cells) or f"**{_finding(cells)}**",
        f"## Results\n\n{_results(cells)}",
        *_bounds(cells),
        *map(for_markdown, further_tables(cells)),
        *([_pictures(plots)] if plots else []),
        *_failures(rows),
        *_ceilings(run.ceilings),
        f"## Where it ran\n\n{_hosts(run)}{_machine(run)}",
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
        *(f"- {markdown(remark)}" for remark in hosts_remarks(run)),
    ]
    return "\n".join(lines)


def _budget(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds:g} s"


def _finding(cells: Sequence[CellSummary]) -> str:
    """The fastest cell and the accuracies in one sentence."""
    found = fastest(cells)
    if found is None:
        measured = any(cell.ok and cell.throughput_images_per_s for cell in cells)
        return "Too few windows or trials to rank any cell by speed." if measured else "No cell was measured."
    words, _ = short_names([cell.cell for cell in cells])
    names = {cell.cell.cell_id: markdown(name) for cell, name in zip(cells, words, strict=True)}
    rerun = " (a rerun may differ; --repeats 3 tells)" if found.one_run else ""
    speed = with_interval(found.cell.throughput_images_per_s, found.cell.interval)
    sentence = f"{found.claim.capitalize()}{rerun}: {names[found.cell.cell.cell_id]}, {speed} images/s{found.doubt}"
    learned = [cell for cell in cells if cell.learned_accuracy is not None]
    if not learned:
        return f"{sentence}; no cell has a test accuracy."
    return f"{sentence}; {accuracy_finding(learned, names)}."


def _largest(run: RunRecord, cells: Sequence[CellSummary]) -> str:
    """What a search for the largest batch found, instead of which cell is the fastest; empty where nothing searched."""
    return "\n".join(f"- **{markdown(line)}**" for line in largest_batches(run, cells))


def _results(cells: Sequence[CellSummary]) -> str:
    grid = grid_of(cells)
    if not grid.lines:
        return "No trial was recorded."
    aligned = ["---" if header in WORDS else "---:" for header in grid.headers]
    lines = [_line([" ".join(header.split()) for header in grid.headers]), _line(aligned)]
    lines += [_line([markdown(word) for word in line]) for line in grid.lines]
    shared = f"All cells: {markdown(grid.shared)}\n\n" if grid.shared else ""
    notes = [markdown(remark) for remark in grid.remarks]
    notes += [f"\\[{number}\\] {markdown(note)}" for note, number in grid.footnotes.items()]
    return shared + "\n".join(lines) + "\n\n" + "  \n".join(notes)


def _line(words: Sequence[str]) -> str:
    return f"| {' | '.join(words)} |"


def _bounds(cells: Sequence[CellSummary]) -> list[str]:
    """Every cost of every cell that was diagnosed."""
    found = bounds_lines(cells)
    if not found:
        return []
    lines = [_line(BOUNDS_HEADERS), _line(["---", "---", *["---:"] * (len(BOUNDS_HEADERS) - 2)])]
    lines += [_line([markdown(word) for word in line]) for line in found]
    return ["## What bounds each cell\n\nIn percent of the step, with 95 % intervals.\n\n" + "\n".join(lines)]


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


def _ceilings(ceilings: Ceilings | None) -> list[str]:
    """What the machine can do at its best, and what disturbed the measuring of that."""
    if ceilings is None:
        return []
    lines = [_line(HEADERS), _line(["---"] * len(HEADERS))]
    lines += [_line([markdown(word) for word in line]) for line in ceilings_lines(ceilings.measured)]
    told = f"Best window (median window), measured {markdown(ceilings.measured_utc)} by `bench env --measure`."
    cautions = [f"Perhaps too low: {markdown(spoiler)}" for spoiler in ceilings.spoilers]
    return ["## Ceilings\n\n" + "\n".join(lines) + "\n\n" + "  \n".join([told, *cautions])]


def _hosts(run: RunRecord) -> str:
    """A line for each host that was not the parent's; empty where there was none."""
    lines = [_line([markdown(shorten(word)) for word in words]) for words in hosts_lines(run.environment)]
    if not lines:
        return ""
    table = "\n".join([_line(HOSTS_HEADERS), _line(["---"] * len(HOSTS_HEADERS)), *lines[:MOST_FACTS]])
    more = f"\n\n… and {len(lines) - MOST_FACTS} more in run.json" if len(lines) > MOST_FACTS else ""
    told = "The facts below are of the first host; those in which another differs are in run.json."
    return f"{table}{more}\n\n{told}\n\n"


def _machine(run: RunRecord) -> str:
    """The facts of the machine as they are, and beside them those that changed during the run."""
    before, after = _facts(_apart_from_hosts(run.environment)), _facts(_apart_from_hosts(run.environment_after or {}))
    if not before:
        return "Nothing is known of the machine."
    changed = {name for name in after if after[name] != before.get(name)}
    facts = [*before, *sorted(changed - set(before))]
    header = ["fact", "value", *(["after the run, where it changed"] * bool(changed))]
    lines = [_line(header), _line(["---"] * len(header))]
    for name in facts[:MOST_FACTS]:
        words = [name, before.get(name, ""), *([after[name] if name in changed else ""] if changed else [])]
        lines.append(_line([markdown(shorten(word)) for word in words]))
    more = f"\n\n… and {len(facts) - MOST_FACTS} more in run.json" if len(facts) > MOST_FACTS else ""
    return "\n".join(lines) + more


def _apart_from_hosts(environment: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in environment.items() if name != "hosts"}


def _facts(environment: Mapping[str, Any], prefix: str = "", depth: int = 0) -> dict[str, str]:
    """Nested facts as dotted names and short texts; what is empty is left out."""
    facts: dict[str, str] = {}
    for name, value in environment.items():
        inner = _inner(value) if depth < _DEEPEST else {}
        if inner:
            facts |= _facts(inner, f"{prefix}{name}.", depth + 1)
        elif value not in (None, "", [], {}):
            facts[f"{prefix}{name}"] = _fact(value)
    return facts


def _inner(value: object) -> Mapping[str, Any]:
    """The facts inside a fact: of a mapping, or of a list of mappings under their numbers."""
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return {str(number): item for number, item in enumerate(value)}
    return value if isinstance(value, Mapping) else {}


def _fact(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
