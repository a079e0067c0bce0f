"""What came of a comparison, in the form that every output is made from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.guard.live.accuracy import AccuracyJudged, judge_accuracy
from bench.guard.live.metrics import (
    ASSUMED,
    MOST_DISTURBED,
    Judged,
    disturbance_of,
    expected_of,
    failure_of,
    judge,
    undisturbed,
    worst,
)
from bench.guard.live.rule import LOOKS, Known, smallest_effect
from bench.guard.verdict import Inconclusive, Verdict
from bench.report.further import Further
from bench.report.text import percent, significant
from bench.store.pairs import AccuracyRecord, ComparisonRecord, Mode, PairRecord, SideRecord

HEADERS = ["metric", "A", "B", "B ÷ A", "margin", "verdict on B"]
MOST_FREEDOM = 12.0
"""Pairs that recorded noise may count for: what is measured now soon counts for more, as a machine's moods change."""
EXIT_CODES: dict[Verdict, int] = {
    "regressed": 1,
    "improved": 0,
    "unchanged": 0,
    "inconclusive": 3,
    "invalid": 3,
    "not comparable": 4,
}


@dataclass(frozen=True)
class Result:
    """The verdicts of a comparison; `failure` says why B has none, `baseless` why A has nothing to compare with.

    Where pairs were `mostly_disturbed` no metric of theirs is judged, and accuracy, which no load changes, still is.
    """

    comparison: ComparisonRecord
    judged: list[Judged]
    verdict: Verdict
    failure: str | None
    pairs: int
    disturbed: list[str]
    mode: Mode
    accuracy: AccuracyJudged | None = None
    baseless: str | None = None
    mostly_disturbed: bool = False

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """On every metric, by its name."""
        return _verdicts(self.judged, self.accuracy)

    def exit_code(self, inconclusive: Inconclusive) -> int:
        """As the design has them."""
        if self.failure:
            return 1
        code = EXIT_CODES[self.verdict]
        return 0 if code == 3 and inconclusive == "pass" else code


def result_of(
    comparison: ComparisonRecord, pairs: Sequence[PairRecord], accuracies: Sequence[AccuracyRecord] = ()
) -> Result:
    """Judge what is stored; pairs that ran in turn since both sides did not fit are judged alone."""
    mode: Mode = pairs[-1].mode if pairs else "interleaved"
    same_mode = [pair for pair in pairs if pair.mode == mode]
    valid = undisturbed(same_mode)
    judged = judge(valid, comparison.margin, known_of(comparison, mode, valid))
    disturbed = [f"pair {pair.number}: {', '.join(told)}" for pair in same_mode if (told := disturbance_of(pair))]
    mostly = len(disturbed) > MOST_DISTURBED * len(same_mode)
    if mostly:
        judged = [replace(one, verdict="invalid") for one in judged]
    accuracy = judge_accuracy(accuracies)
    verdict = worst(judged, [accuracy.verdict] if accuracy else [])
    if mostly and verdict != "regressed":
        verdict = "invalid"
    ran: list[PairRecord | AccuracyRecord] = [*same_mode, *accuracies]
    failure, baseless = failure_of(ran, "B"), failure_of(ran, "A")
    if baseless and not failure:
        verdict = "not comparable"
    return Result(comparison, judged, verdict, failure, len(valid), disturbed, mode, accuracy, baseless, mostly)


def _verdicts(judged: Sequence[Judged], accuracy: AccuracyJudged | None) -> dict[str, Verdict]:
    told = {one.name: one.verdict for one in judged}
    return told | ({accuracy.name: accuracy.verdict} if accuracy else {})


def known_of(comparison: ComparisonRecord, mode: Mode, pairs: Sequence[PairRecord] = ()) -> Known:
    """What is known of a pair's standard deviation: what rounds of `pairs` say, pooled with what this unit recorded.

    It is never less than what was recorded; pairs that ran in the other way say nothing of these.
    """
    recorded, expected = comparison.noise, expected_of(pairs)
    if recorded is None or recorded.mode != mode:
        return expected
    freedom = expected.freedom + recorded.freedom
    sd = math.sqrt((expected.freedom * expected.sd**2 + recorded.freedom * recorded.sd**2) / freedom)
    return Known(max(sd, recorded.sd), min(freedom, MOST_FREEDOM))


def result_table(result: Result) -> Further:
    """The verdicts as a table, and what is to be said beneath it."""
    lines = [[*_words(one), one.verdict] for one in result.judged]
    lines += [_accuracy_words(result.accuracy)] if result.accuracy else []
    return Further("B against A", HEADERS, lines, tuple(_told(result)))


def differences(a: SideRecord, b: SideRecord) -> list[str]:
    """What B has that A has not, a line each; none where both are the same."""
    found = _changes(a.trial.cell.model_dump(), b.trial.cell.model_dump())
    if a.workload_sha256 != b.workload_sha256:
        ours, theirs = (f"{side.workload_origin} ({side.workload_sha256[:12]})" for side in (a, b))
        found.append(f"mnist_cnn: {ours} → {theirs}")
    found += _changes({"python": a.python}, {"python": b.python})
    return found + _changes(a.variables, b.variables)


def _changes(ours: Mapping[str, object], theirs: Mapping[str, object]) -> list[str]:
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    return [f"{name}: {ours.get(name, 'not set')} → {theirs.get(name, 'not set')}" for name in names]


def foresight(comparison: ComparisonRecord, mode: Mode) -> str:
    """What this machine can see in the time that a comparison may take, before it is taken."""
    known, last = known_of(comparison, mode), LOOKS[-1]
    effect = 100 * smallest_effect(known, comparison.margin, last)
    origin = "as recorded here" if known is not ASSUMED else "assumed, as nothing is recorded here yet"
    return (
        f"A slow-down of {effect:.1f} % or more is found in 95 of 100 comparisons of {last} pairs, if pairs of "
        f"identical code differ by {100 * known.sd:.1f} % ({origin}: `bench ab default default` records it)"
    )


def _words(one: Judged) -> list[str]:
    ratio = "" if one.estimate is None else "{:.3f} ({:.3f}–{:.3f})".format(*one.estimate.ratio)
    unit = f" {one.unit}"
    return [one.name, significant(one.a) + unit, significant(one.b) + unit, ratio, f"{100 * one.margin:g} %"]


def _accuracy_words(one: AccuracyJudged) -> list[str]:
    points = f"{100 * one.difference:+.2f} ({100 * one.low:+.2f}–{100 * one.high:+.2f}) points"
    sides = [f"{percent(one.a)} %", f"{percent(one.b)} %"]
    return [f"{one.name}, {one.seeds} seeds", *sides, points, f"{100 * one.margin:g} points", one.verdict]


def _told(result: Result) -> list[str]:
    sd = result.judged[0].estimate.sd if result.judged and result.judged[0].estimate else None
    spread = f", whose B ÷ A differ by {100 * sd:.1f} % (sd)" if sd else ""
    told = [
        f"{result.pairs} pairs of fresh processes{spread}; {_MODES[result.mode]}.",
        "Intervals hold at 95 % over all looks.",
        *([_SPEEDS] if result.judged else []),
        *(f"Left out, {line}" for line in result.disturbed),
        *([_NO_TIMING if result.accuracy else _NOTHING] if result.mostly_disturbed and not result.failure else []),
    ]
    return [*told, f"Verdict on B: {outcome_of(result)}"]


_SPEEDS = (
    "Throughput is the centre over all windows, which what few of them have does not move; mean throughput is their "
    "images over their seconds, stalls and spikes included."
)
_DISTURBED = (
    "most pairs were disturbed from outside. Free the machine (`bench env` names who computes on it), then compare "
    "again."
)
_NOTHING = f"NOTHING WAS JUDGED: {_DISTURBED}"
_NO_TIMING = f"NOTHING BUT ACCURACY WAS JUDGED: {_DISTURBED}"


def outcome_of(result: Result) -> str:
    """The verdict, with the reason where there is none."""
    return result.failure or (f"not comparable, {result.baseless}" if result.baseless else result.verdict)


_MODES = {
    "interleaved": "both sides lived at once and took turns, window by window",
    "in turn": "whole processes took turns, never both at once",
}
