"""Tables and a picture of the model: what the rule, and candidates for it, would do with recorded pairs."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from candidates import UP_TO_20, Candidate, Known, candidates, shipped
from counted import Count
from lengths import CENTRES, SHARES, shortened, spread_of
from outcomes import Outcome, verdict_of
from replay import Recorded, simulate
from tables import percent, table
from traces import Trace

from bench.guard.live.metrics import ASSUMED, PROCESSES_SD, THROUGHPUT
from bench.guard.live.result import MOST_FREEDOM
from bench.guard.live.rule import MARGIN

EXTRA = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.10)
FINE = tuple(float(one) for one in np.arange(0.01, 0.1201, 0.0025))
SERIES, FEWER = 20_000, 4_000
"""Comparisons that are drawn: for a figure, and for a point of a curve."""
SHIPPED = candidates()[0]
FRESH = None
"""What a machine that has recorded nothing knows beforehand, as every live verdict here."""


def known_of(recorded: Recorded) -> Known:
    """As bench.guard.live.result.known_of where these pairs are recorded; rounds say the same of every comparison."""
    sd, freedom = within(recorded)
    rounds = math.hypot(float(np.sqrt(np.mean(recorded.errors**2))), PROCESSES_SD)
    worth = ASSUMED.freedom + freedom
    pooled = math.sqrt((ASSUMED.freedom * rounds**2 + freedom * sd**2) / worth)
    return Known(max(pooled, sd), min(worth, MOST_FREEDOM))


def within(recorded: Recorded) -> tuple[float, int]:
    """The standard deviation of pairs around their comparison's mean, and the degrees of freedom that it rests on."""
    groups = [group for group in recorded.groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in groups)
    squares = sum((len(group) - 1) * float(np.var(group, ddof=1)) for group in groups)
    return math.sqrt(squares / freedom), freedom


def recorded_sentence(recorded: Recorded) -> str:
    """What the model is fitted to."""
    values = recorded.logs[THROUGHPUT]
    sd = float(np.sqrt(np.mean(values**2)))
    return (
        f"A model, not a measurement: {SERIES:,} comparisons drawn at random from {len(values)} recorded pairs of "
        f"identical code in {len(recorded.groups)} comparisons, with a known effect added. B ÷ A of a pair has a "
        f"standard deviation of {percent(sd)} (within a comparison {percent(within(recorded)[0])}); a pair took "
        f"{float(np.median(recorded.seconds)):.0f} s in the median. Like the live verdicts it knows nothing of the "
        "machine beforehand."
    )


def model_claims(recorded: Recorded, pair_s: float) -> list[Outcome]:
    """The limits, held against the model; `twice` is what `bench guard` asks for before it fails."""
    clean = simulate(recorded, SHIPPED, FRESH, MARGIN, series=SERIES)
    together = simulate(recorded, SHIPPED, FRESH, MARGIN, drawn="comparisons", series=SERIES)
    slow = simulate(recorded, SHIPPED, FRESH, MARGIN, 0.05, series=SERIES)
    n = f"model, {pair_s:g} s of windows a pair at most"

    def claim(words: str, truth: str, measured: str, *, holds: bool) -> Outcome:
        return Outcome(words, truth, measured, n, verdict_of(holds))

    alarms = (
        f"{percent(clean.regressed)} of comparisons ({percent(together.regressed)} where pairs of one comparison have "
        f"something in common), {percent(clean.twice)} of jobs, which compare twice; limit 1 %"
    )
    found = f"{percent(slow.regressed)} of comparisons, {percent(slow.twice)} of jobs; limit 95 %"
    unclear = f"{percent(clean.inconclusive)} of identical code, {percent(slow.inconclusive)} at 5 %; limit 10 %"
    minutes = f"{clean.minutes:.1f} min of identical code, {slow.minutes:.1f} at 5 %; limit 3"
    worst = max(clean.regressed, together.regressed)
    return [
        claim("identical code is never called worse", "A and B exchanged at random", alarms, holds=worst <= 0.01),
        claim("5 % is found", "5 % added", found, holds=slow.regressed >= 0.95),
        claim("few are inconclusive", "both", unclear, holds=max(clean.inconclusive, slow.inconclusive) <= 0.1),
        claim("a verdict takes three minutes", "both", minutes, holds=max(clean.minutes, slow.minutes) <= 3),
    ]


def ways() -> dict[str, tuple[Candidate, float]]:
    """The shipped rule, and what more patience and a smaller margin would buy."""
    longer = UP_TO_20
    return {
        "margin 2 % (default)": (SHIPPED, 0.02),
        "margin 1 %": (SHIPPED, 0.01),
        "margin 1 %, up to 20 pairs": (longer, 0.01),
    }


def curve_table(recorded: Recorded) -> str:
    """Effect, power, minutes; the last line is the smallest effect that each way finds in 95 of 100."""
    rows = []
    for extra in EXTRA:
        cells = []
        for rule, margin in ways().values():
            one = simulate(recorded, rule, FRESH, margin, extra, series=SERIES)
            cells.append(f"{percent(one.regressed)}, {percent(one.inconclusive)}, {one.minutes:.1f} min")
        rows.append([percent(extra), *cells])
    smallest = [_smallest(recorded, rule, margin) for rule, margin in ways().values()]
    words = [f"{percent(one)}" if one else f"none up to {percent(FINE[-1])}" for one in smallest]
    rows.append(["smallest found in 95 %", *words])
    return table(["extra time a step", *(f"{name}: found, inconclusive, median time" for name in ways())], rows)


def _smallest(recorded: Recorded, rule: Candidate, margin: float) -> float | None:
    for extra in FINE:
        if simulate(recorded, rule, FRESH, margin, extra, series=FEWER).regressed >= 0.95:
            return extra
    return None


def candidate_table(recorded: Recorded) -> str:
    """Each rule with what a machine knows that has recorded these pairs, and two of them also without."""
    known = known_of(recorded)
    rules = [
        ("shipped, nothing recorded", SHIPPED, FRESH, MARGIN),
        *((one.name, one, known, MARGIN) for one in candidates()),
        ("shipped, margin 1 %", Candidate("", shipped), known, 0.01),
    ]
    rows = []
    for name, rule, knows, margin in rules:
        cells = []
        for extra in (0.0, 0.02, 0.03, 0.05):
            one = simulate(recorded, rule, knows, margin, extra, series=SERIES)
            cells.append(f"{percent(one.regressed)}, {percent(one.inconclusive)}, {one.minutes:.1f} min")
        rows.append([name, *cells])
    shown = (
        f"Recorded: sd {percent(known.sd)}, worth {known.freedom:.0f} values as a prior. "
        "It is known from the very pairs that are drawn, which flatters every rule a little."
    )
    headers = ["rule", *(f"{percent(extra)} slower: found, inconclusive, time" for extra in (0.0, 0.02, 0.03, 0.05))]
    return f"{shown}\n\n{table(headers, rows)}"


def length_table(traces: Sequence[Trace]) -> str:
    """By centre and by the share of a pair's rounds: where the noise is, and what the rule makes of it."""
    rows = []
    for share in SHARES:
        for name, of in CENTRES.items():
            spread = spread_of(traces, of, share)
            recorded = shortened(traces, share, of)
            three, five = (simulate(recorded, SHIPPED, FRESH, MARGIN, extra, series=SERIES) for extra in (0.03, 0.05))
            rows.append(
                [
                    percent(share), name, percent(spread.pair), percent(spread.windows), percent(spread.processes),
                    f"{float(np.median(recorded.seconds)):.0f}", percent(three.regressed), percent(five.regressed),
                    f"{five.minutes:.1f}",
                ]
            )  # fmt: skip
    headers = ["of the rounds", "centre of a pair", "sd of a pair", "by windows", "by processes", "s a pair"]
    return table([*headers, "finds 3 %", "finds 5 %", "minutes at 5 %"], rows)


def picture_of(recorded: Recorded, live: Mapping[float, Count], stem: Path) -> None:
    """Power over effect: the model as lines, live verdicts as marks with their bounds."""
    from bench.report.pictures.canvas import legend_beside, picture, styles

    names = list(ways())
    marks = styles(len(names) + 1)
    smallest = _smallest(recorded, SHIPPED, MARGIN)
    title = (
        f"{percent(smallest)} slower is found in 95 of 100" if smallest else "Nothing up to 12 % is found in 95 of 100"
    )
    notes = [
        "Lines: a model, drawn from recorded pairs of identical code. Marks: live verdicts with one-sided 95 % bounds."
    ]
    with picture(stem, title, notes, 1, (7.6, 4.2), [*names, "live, margin 2 %"]) as (figure, (axis,)):
        for (rule, margin), mark in zip(ways().values(), marks, strict=False):
            shares = [simulate(recorded, rule, FRESH, margin, extra, series=FEWER).regressed for extra in (0.0, *FINE)]
            axis.plot([0, *(100 * extra for extra in FINE)], [100 * share for share in shares], color=mark.colour)
        for size, seen in live.items():
            share = 100 * seen.k / seen.n
            bars = [[share - 100 * seen.at_least], [100 * seen.at_most - share]]
            axis.errorbar([100 * size], [share], yerr=bars, color=marks[-1].colour, marker=marks[-1].marker, capsize=2)
        axis.set(xlabel="extra time a step (%)", ylabel="found (%)")
        axis.set_ylim(-3, 103)
        legend_beside(figure, [*names, "live, margin 2 %"], marks)
