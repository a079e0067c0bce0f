"""Which runs a run may be held against: never itself, another unit, other data, and other code only if allowed."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.text import named
from bench.store.baselines import RunFigures


@dataclass(frozen=True)
class Ground:
    """The baseline runs that a run may be held against, and a line on those that it may not."""

    runs: list[RunFigures]
    told: list[str]


def ground_of(run: RunFigures, baseline: Sequence[RunFigures], *, other_code: bool) -> Ground:
    """Sort out what is no baseline of the run: itself, other units, other data and, unless allowed, other code."""
    others = {one.run_id: one for one in baseline if one.run_id != run.run_id}
    copies = len(baseline) - len(others)
    here = [one for one in others.values() if one.exact_unit == run.exact_unit]
    same_data = [one for one in here if one.data_sha256 == run.data_sha256]
    same_code = [one for one in same_data if run.code_sha256 is not None and one.code_sha256 == run.code_sha256]
    stale = [one for one in same_data if one.code_sha256 is None or one.code_sha256 != run.code_sha256]
    counts = {
        "are not of this exact unit": len(others) - len(here),
        "are stale: of another data set": len(here) - len(same_data),
    }
    told = [f"{copies} of {len(baseline)} baseline runs are this very run, or given twice: left out"] * bool(copies)
    told += [f"{count} of {len(others)} baseline runs {why}" for why, count in counts.items() if count]
    if stale:
        what = f"{len(stale)} of {len(others)} baseline runs are of other benchmark code, or it is not known of which"
        told.append(f"{what} ({_hashes(run, stale)}): {_ALLOWED if other_code else _STALE}")
    return Ground(same_data if other_code else same_code, told)


def _hashes(run: RunFigures, stale: Sequence[RunFigures]) -> str:
    """Of the code of the baseline, and of the run's."""
    theirs = sorted({_short(one.code_sha256) for one in stale})
    return f"{named(theirs)}; this run: {_short(run.code_sha256)}"


def _short(sha256: str | None) -> str:
    return sha256[:8] if sha256 else "unknown"


_ALLOWED = "kept; a change may come from the benchmark's own code as well as from mnist_cnn"
_STALE = "stale: left out; --other-code takes them all the same"
