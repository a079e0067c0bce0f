"""`bench baseline`: runs kept in short as what later runs of the same machine are judged by."""

import gc
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.commands.verdict_output import deliver_verdict
from bench.display import result_console, say, warn
from bench.errors import UsageError
from bench.guard.stored.baseline import figures_of
from bench.guard.stored.comparison_heading import difference_lines
from bench.guard.stored.differences import differences_of
from bench.guard.stored.judge import Margins
from bench.guard.stored.judgement import Judgement, judgement_of
from bench.guard.stored.rule import FEWEST_RUNS
from bench.guard.verdict import IncomparableError, Inconclusive
from bench.measure.identity import code_sha256
from bench.plan.data import checked_data
from bench.report.further import Further, for_terminal
from bench.report.text import shorten
from bench.store.baselines import KEPT, RunFigures, keep_baseline, read_baselines, units_in
from bench.store.runs import read_run


def promote_runs(folders: Sequence[Path], store: Path) -> int:
    """Keep runs as baselines of their units. Raises UsageError for one that cannot be, before any is kept."""
    every = [_figures(folder) for folder in folders]
    try:
        new = [keep_baseline(store, run) for run in every]
    except OSError as error:
        raise UsageError(f"--store {store}: cannot be written ({error.strerror}); name a folder that can") from None
    # told once all are kept: one may have made room for another
    for run, is_new in zip(every, new, strict=True):
        kept = read_baselines(store, run.exact_unit).runs
        what = _kept_words(run, kept) if is_new else "was there already"
        print(f"{run.name}: {what}; baseline runs of unit {run.exact_unit}: {len(kept)} (at most {KEPT} a cell)")
    return 0


def _kept_words(run: RunFigures, kept: Sequence[RunFigures]) -> str:
    """How much of a run that was new stays beside newer ones."""
    left = sum(len(one.cells) for one in kept if one.run_id == run.run_id)
    if not left:
        return f"not kept: {KEPT} newer runs have each of its cells"
    if left < len(run.cells):
        return f"kept with {left} of {len(run.cells)} cells: {KEPT} newer runs have each of the others"
    return f"kept with {left} cells"


def _read(folder: Path) -> RunFigures:
    """The figures of a stored run; raises IncomparableError for one that no other can be held against."""
    gc.disable()  # what is read stays until the end
    stored = read_run(folder)
    warn(stored.damage)
    return figures_of(stored)


def _figures(folder: Path) -> RunFigures:
    """What is kept of a run: the cells of which all trials went well."""
    try:
        run = _read(folder)
    except IncomparableError as error:
        raise UsageError(str(error)) from None
    good = [one for one in run.cells if one.throughput_images_per_s]
    if not good:
        raise UsageError(f"{folder}: no cell has a throughput and only trials that ended ok; nothing to promote")
    return run.model_copy(update={"cells": good})


def list_baselines(store: Path) -> int:
    """Print what is kept, a line for each unit, code and data set."""
    units, lines, code = units_in(store), [], code_sha256()
    data = _embedded_sha256() if units else None
    for unit in units:
        found = read_baselines(store, unit)
        warn(found.damage)
        groups: dict[tuple[str | None, str], list[RunFigures]] = {}
        for run in found.runs:
            groups.setdefault((run.code_sha256, run.data_sha256), []).append(run)
        lines += [_line(unit, runs, code, data) for runs in groups.values()]
    console = result_console()
    if not lines:
        say(console, f"No baselines in {store}; make one with: bench baseline promote RUN")
        return 0
    told = (
        f"A verdict takes {FEWEST_RUNS} runs. stale: not of the benchmark code here; unknown: of an older run. "
        "other: not the data set that is embedded here, which a run takes without --data."
    )
    headers = ["unit", "machine", "cells", "runs", "newest", "data", "code"]
    console.print(for_terminal(Further(f"Baselines in {store}", headers, lines, (told,))))
    return 0


def _embedded_sha256() -> str | None:
    """Of the data set that a run takes where none is named; None where it cannot be read."""
    try:
        return checked_data(None).sha256
    except UsageError:
        return None


def _line(unit: str, runs: Sequence[RunFigures], code: str | None, data: str | None) -> list[str]:
    counts: dict[str, int] = {}
    for run in runs:
        for one in run.cells:
            counts[one.cell.cell_id] = counts.get(one.cell.cell_id, 0) + 1
    each = sorted(set(counts.values()))
    runs_words = f"{each[0]} to {each[-1]} a cell" if len(each) > 1 else str(len(runs))
    of = runs[0].code_sha256
    state = "unknown" if of is None or code is None else "this" if of == code else f"stale {of[:8]}"
    newest = _age(runs[-1].created_utc)
    own = runs[0].data_sha256
    data_words = own[:8] if data in {own, None} else f"{own[:8]} other"
    return [unit, runs[-1].machine, str(len(counts)), runs_words, newest, data_words, state]


def _age(created_utc: str) -> str:
    """In days; a time that cannot be read is shown as it is."""
    try:
        made = datetime.fromisoformat(created_utc)
        days = (datetime.now(UTC) - (made if made.tzinfo else made.replace(tzinfo=UTC))).days
    except (ValueError, OverflowError):
        return shorten(created_utc, 20)
    return f"{days} days ago" if days != 1 else "1 day ago"


def check_run(
    folder: Path, store: Path, margins: Margins, out: Path | None, *, other_code: bool, inconclusive: Inconclusive
) -> int:
    """Judge a run by the promoted ones of its unit; returns the exit code, 4 without ground for a verdict."""
    judgement = _judged(folder, store, margins, other_code=other_code)
    return deliver_verdict(judgement, out or folder / "report" / "comparison", inconclusive)


def _judged(folder: Path, store: Path, margins: Margins, *, other_code: bool) -> Judgement:
    """The verdict on a run; in what it differs from the newest of the baseline is printed."""
    try:
        run = _read(folder)
    except IncomparableError as error:
        return Judgement(name=folder.resolve().name, margins=margins, why_not=str(error))
    found = read_baselines(store, run.exact_unit)
    warn(found.damage)
    if not found.runs:
        why = f"{store} has no baseline of unit {run.exact_unit}; make one with: bench baseline promote RUN"
        return Judgement(name=run.name, margins=margins, why_not=why)
    newest = found.runs[-1]
    differ = difference_lines(differences_of([newest.facts, run.facts]), [newest.name, run.name])
    say(result_console(), "What differs from the newest of the baseline:", *(f"- {line}" for line in differ))
    return judgement_of(run, found.runs, margins, other_code=other_code, differ=differ)
