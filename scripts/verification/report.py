"""What the live verdicts amount to: claims with their bounds, and beside them a model and the rules of others."""

import math
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from statistics import median, variance

from counted import Count, at_least, at_most, count
from effects import mean_share
from model_tables import candidate_table, curve_table, length_table, model_claims, picture_of, recorded_sentence
from modes import Mode
from outcomes import Outcome, counted, verdict_of
from planted import STALLS_EVERY
from replay import made_up, recorded_of
from rivals import counts, rivals
from tables import percent, table
from traces import Measured, Taken, Trace

from bench.guard.live.metrics import MEAN, SPEEDS, THROUGHPUT
from bench.measure.paired import centre_of
from bench.store.runs import write_atomically

FALSE_ALARMS, POWER, INCONCLUSIVE, MOST_S = 0.01, 0.95, 0.10, 180.0
"""The limits that the guard is held to."""
SIZES = (0.02, 0.03, 0.05, 0.10)
SHOWN_BY = {"compute": THROUGHPUT, "input": THROUGHPUT, "stall": MEAN, "leak": "host memory", "rate": "test accuracy"}
"""The metric in which what is planted is looked for; a slow-down may be proven by either of speed."""


@dataclass(frozen=True)
class Found:
    """All that one mode took with one code."""

    mode: Mode
    taken: Sequence[Taken]

    def of(self, kind: str, size: float | None = None) -> list[Trace]:
        """The verdicts of one kind, and of one size where that is told."""
        traces = [one for one in self.taken if isinstance(one, Trace)]
        return [one for one in traces if one.kind == kind and size in (None, one.size)]

    def shares(self, item: str) -> list[float]:
        """How much longer a step was in all measurements of that name, of every machine."""
        measured = [one for one in self.taken if isinstance(one, Measured) and one.item == item]
        return [share for one in measured for share in one.shares]

    def effect(self, size: float) -> str:
        """How much longer a step was with extra compute of a size, where that was measured without the guard."""
        shares = self.shares(f"effect {size:g}")
        if len(shares) < 2:
            return ""
        middle, low, high = (percent(share) for share in mean_share(shares))
        return f"{middle} ({low} to {high}) in {len(shares)} processes without the guard"


@dataclass(frozen=True)
class Told:
    """All tables, the part of them that is published, and how many claims fail."""

    text: str
    published: str
    failures: int


def write(found: Found, folder: Path, heading: str) -> Told:
    """Write report.md and the picture of the power; a part that has too few verdicts says so."""
    outcomes = claims(found)
    parts = {"": f"{heading} {counted(outcomes)}.", "Claims": _claims_table(outcomes), "Live verdicts": _planted(found)}
    parts["Where"] = machine_table(found)
    parts["The rules of others on the same windows"] = rival_table(found)
    inside = dict(parts)
    try:
        recorded = recorded_of(found.of("identical"))
    except ValueError as error:
        inside["Model"] = f"No model: {error}."
        parts["Model"] = inside["Model"]
    else:
        modelled = model_claims(recorded, found.mode.pair_s)
        outcomes += modelled
        inside["Model"] = f"{recorded_sentence(recorded)}\n\n{_claims_table(modelled)}\n\n{curve_table(recorded)}"
        parts |= inside
        parts["Candidates for the rule (model)"] = candidate_table(recorded)
        parts["How long a pair should be (model)"] = length_table(found.of("identical"))
        live = {size: count([is_caught(one) for one in found.of("compute", size)]) for size in SIZES}
        picture_of(recorded, {size: one for size, one in live.items() if one.n}, folder / "power")
    text, published = (
        "\n\n".join(f"{name and f'### {name}'}\n\n{part}".strip() for name, part in some.items()) + "\n"
        for some in (parts, inside)
    )
    write_atomically(folder / "report.md", text)
    return Told(text, published, sum(one.verdict == "FAILS" for one in outcomes))


def heading_of(found: Found) -> str:
    """When, how much of the mode, and which kinds nobody has taken yet."""
    traces = [one for one in found.taken if isinstance(one, Trace)]
    days = sorted({one.utc[:10] for one in found.taken})
    taken = f"{len(traces)} of {sum(found.mode.verdicts.values())} verdicts"
    none = [named(kind, size) for kind, size in found.mode.verdicts if not found.of(kind, size)]
    none_yet = f" None yet of: {'; '.join(none)}." if none else ""
    return f"Mode {found.mode.name}, {' to '.join(dict.fromkeys([days[0], days[-1]]))}: {taken}.{none_yet}"


def named(kind: str, size: float) -> str:
    """What was planted, in words."""
    words = {"hog": "identical, beside a busy CPU", "compute": "extra compute of", "input": "input slower by"}
    words |= {"stall": f"a stall at every {STALLS_EVERY}th step, in all"}
    unit = f" {size:g} MiB" if kind == "leak" else f" {size:g}" if kind == "rate" else f" {percent(size)}"
    told = {
        "rate": "learning rate",
        "rate identical": "identical learning rate",
        "input identical": "identical, input-bound",
    }
    return {**words, **told}.get(kind, kind) + unit * bool(size)


def of_made_up(sd: float) -> str:
    """What the model says of pairs of that standard deviation, normal and with 5 % hit by a spike."""
    parts = []
    for words, spikes in (("normal", 0.0), ("5 % of pairs off by ±1 to 4 %", 0.05)):
        recorded = made_up(sd, spikes)
        parts.append(
            f"Made-up pairs, sd {percent(sd)}, {words}\n\n{curve_table(recorded)}\n\n{candidate_table(recorded)}"
        )
    return "\n\n".join(parts)


def is_caught(trace: Trace) -> bool:
    """Whether what was planted was found, where it was planted."""
    metric = SHOWN_BY[trace.kind]
    return trace.failure is None and _is_worse(trace, SPEEDS if metric == THROUGHPUT else {metric})


def _is_worse(trace: Trace, metrics: Set[str]) -> bool:
    return any(trace.verdicts.get(name) == "regressed" for name in metrics)


def is_alarm(trace: Trace) -> bool:
    """Whether B was called worse, or failed."""
    return trace.failure is not None or trace.verdict == "regressed"


def claims(found: Found) -> list[Outcome]:
    """Every claim that something was taken for."""
    clean = [*found.of("identical"), *found.of("input identical")]
    slower = found.of("compute", 0.05)
    asked = [
        _few(found, "identical code is never called worse", clean, is_alarm, FALSE_ALARMS),
        _most(found, "5 % of extra compute a step is found", slower),
        _most(found, "10 % of extra compute a step is found", found.of("compute", 0.10)),
        _most(found, "a pipeline slower by 5 % is found in an input-bound cell", found.of("input")),
        _most(found, "stalls that few windows have are found", found.of("stall")),
        _most(found, "a leak of 50 MiB is found", found.of("leak")),
        _most(found, "a learning rate that costs accuracy is found", found.of("rate")),
        _few(found, "the same learning rate is never called worse", found.of("rate identical"), is_alarm, FALSE_ALARMS),
        _few(found, "few verdicts on identical code are inconclusive", clean, _is_unclear, INCONCLUSIVE),
        _few(found, "few verdicts on 5 % are inconclusive", slower, _is_unclear, INCONCLUSIVE),
        _few(found, "beside a busy CPU identical code is never called worse", found.of("hog"), is_alarm, FALSE_ALARMS),
    ]
    outcomes = [one for one in asked if one is not None]
    return [*outcomes, *_time("identical code", clean), *_time("5 %", slower)]


def _few(
    found: Found, claim: str, traces: Sequence[Trace], flag: Callable[[Trace], bool], limit: float
) -> Outcome | None:
    """A share that is to be low; a spot check asks that there is none."""
    if not traces:
        return None
    seen = count([flag(one) for one in traces])
    verdict = verdict_of(not seen.k) if found.mode.name == "short" else at_most(seen, limit)
    measured = f"{seen}; at most {percent(seen.at_most)} (limit {percent(limit)})"
    return Outcome(claim, _truth(found, traces), measured, f"{seen.n} verdicts", verdict)


def _most(found: Found, claim: str, traces: Sequence[Trace]) -> Outcome | None:
    """A share that is to be high; a spot check asks for all."""
    if not traces:
        return None
    seen = count([is_caught(one) for one in traces])
    verdict = verdict_of(seen.k == seen.n) if found.mode.name == "short" else at_least(seen, POWER)
    measured = f"{seen}; at least {percent(seen.at_least)} (limit {percent(POWER)})"
    return Outcome(claim, _truth(found, traces), measured, f"{seen.n} verdicts", verdict)


def _truth(found: Found, traces: Sequence[Trace]) -> str:
    """What was planted, by its own measurement."""
    kind, size = traces[0].kind, traces[0].size
    if not size:
        return f"the same code: {told}" if (told := found.effect(size)) and kind == "identical" else "the same code"
    if kind == "rate":
        lost = [-trace.accuracy["difference"] for trace in traces if trace.accuracy]
        return f"learning rate {size:g}: {100 * median(lost):.2f} points lost" if lost else f"learning rate {size:g}"
    if kind == "leak":
        return f"{size:g} MiB held"
    if kind == "stall":
        return f"{percent(STALLS_EVERY * size)} of a step asked for at every {STALLS_EVERY}th"
    if kind == "input":
        return f"batches sleep {percent(size)} longer"
    return found.effect(size) or f"{percent(size)} asked for"


def _time(code: str, traces: Sequence[Trace]) -> list[Outcome]:
    if not traces:
        return []
    middle, longest = median(one.seconds for one in traces), max(one.seconds for one in traces)
    measured = f"{middle:.0f} s, {longest:.0f} s at most; limit {MOST_S:.0f} s"
    claim = f"a verdict on {code} takes three minutes in the median"
    return [Outcome(claim, "wall clock", measured, f"{len(traces)} verdicts", verdict_of(middle <= MOST_S))]


def _is_unclear(trace: Trace) -> bool:
    return trace.failure is None and trace.verdict in {"inconclusive", "invalid"}


def _claims_table(outcomes: Sequence[Outcome]) -> str:
    rows = [[one.claim, one.truth, one.measured, one.n, one.verdict] for one in outcomes]
    return table(["claim", "ground truth", "measured", "n", "verdict"], rows)


def _planted(found: Found) -> str:
    """A line for each kind and size: verdicts on its metric, B ÷ A over all pairs, minutes."""
    rows = []
    for kind, size in found.mode.verdicts:
        traces = found.of(kind, size)
        if not traces:
            continue
        metric = SHOWN_BY.get(kind, THROUGHPUT)
        whole = kind == "hog"  # what has no valid pair has no verdict on a metric
        told = [_word(one, "" if whole else metric) for one in traces]
        words = ", ".join(f"{told.count(word)} {word}" for word in sorted(set(told)))
        middle = median(one.seconds for one in traces) / 60
        used = f"{sum(len(one.used) for one in traces)} of {sum(len(one.pairs) for one in traces)}"
        rows.append([named(kind, size), metric, words, _ratio(traces, metric), used, f"{middle:.1f}"])
    headers = ["planted in B", "metric", "verdicts", "B ÷ A over all pairs (95 %)", "pairs used", "minutes, median"]
    return table(headers, rows) if rows else "No verdict has been taken."


def _word(one: Trace, metric: str) -> str:
    if one.failure:
        return "failed"
    return "regressed" if one.kind in SHOWN_BY and is_caught(one) else one.verdicts.get(metric, one.verdict)


def _ratio(traces: Sequence[Trace], metric: str) -> str:
    centre = centre_of([value for trace in traces for value in trace.values(metric)])
    if centre is None:
        return ""
    return f"{math.exp(centre.value):.4f} ({math.exp(centre.low):.4f}–{math.exp(centre.high):.4f})"


def machine_table(found: Found) -> str:
    """A line for each kind of machine: verdicts, by how much its pairs differ, minutes."""
    rows = []
    traces = [one for one in found.taken if isinstance(one, Trace)]
    for machine in sorted({one.machine for one in traces}):
        own = [one for one in traces if one.machine == machine]
        spread = [(variance(one.values()), len(one.values()) - 1) for one in own if len(one.values()) > 1]
        pooled = sum(value * freedom for value, freedom in spread) / max(1, sum(freedom for _, freedom in spread))
        middle = median(one.seconds for one in own) / 60
        rows.append([machine, str(len(own)), percent(math.sqrt(pooled)), f"{middle:.1f}"])
    return table(["machine", "verdicts", "pairs of a verdict differ by (sd)", "minutes, median"], rows)


def rival_table(found: Found) -> str:
    """Alarms on identical code and finds by size: ours, then each rule of another tool."""
    sizes = [size for size in SIZES if found.of("compute", size)]
    headers = ["rule", "takes", "false alarms", *(f"finds {percent(size)}" for size in sizes)]
    clean = found.of("identical")
    if not clean:
        return "No verdict on identical code has been taken."
    ours = [[trace.failure is not None or _is_worse(trace, SPEEDS) for trace in clean]]
    ours += [[is_caught(trace) for trace in found.of("compute", size)] for size in sizes]
    rows = [["**bench ab**, throughput or its mean", "the whole comparison", *(_share(count(flags)) for flags in ours)]]
    for rival in rivals():
        seen = [counts(rival, clean), *(counts(rival, found.of("compute", size)) for size in sizes)]
        rows.append([rival.name, rival.takes, *map(_share, seen)])
    return table(headers, rows)


def _share(seen: Count) -> str:
    return f"{seen} ({percent(seen.k / seen.n)})" if seen.n else "none taken"
