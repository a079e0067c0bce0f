"""Forecasts of a run: every family of settings with one replica's time and with measured all-reduces."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.measure.forecast import BUCKET_BYTES, Basis, Range, forecast
from bench.measure.statistics import Interval
from bench.report.cells import CellSummary
from bench.report.further import Further
from bench.report.names import short_names
from bench.report.scaling import KINDS, Kind, Scaled, baseline_of, family_of, scaling_of
from bench.report.text import significant, with_interval
from bench.trial import Cell

HEADERS = [
    "one replica of",
    "scaling",
    "replicas",
    "step ms",
    "efficiency %",
    "measured\nstep ms",
    "forecast is\noff by",
]
_TOLD = f"""\
step = computing + what of the all-reduces is not hidden. An all-reduce over n replicas takes 2(n-1) latencies and \
2(n-1)/n of the gradient's bytes over the bandwidth (ring; Thakur et al. 2005, Patarasuk & Yuan 2009), both taken from \
the all-reduces measured in this run. Between workers over gRPC it takes a latency more, since receivers ask for what \
they get; and where each step is dispatched, what agreeing on it was measured to take.
Computing is a step in which no replica waits for another's gradient, while all of them compute, where that was \
measured: further replicas are taken to be on hosts with as many workers. Else it is one replica's step.
Overlap: gradients are summed in buckets of {BUCKET_BYTES / 1e6:.0f} MB as the backward pass completes them, so that \
a gradient of one bucket is not hidden at all.
Bounds in brackets: the fastest and slowest windows of computing (95 % of it where it is one replica's step) and of \
the all-reduces. They do not cover what more machines bring that one did not have: switches, other links, stragglers.
Over a slow network a link taken from two workers was seen to be a fifth too quick: there many take longer than this.
strong: each replica is taken to need an n-th of the time for an n-th of the batch, which is the best case, but where \
computing was measured at its part of the batch."""


@dataclass(frozen=True)
class Point:
    """A forecast for so many replicas, and what was measured there, if anything."""

    kind: Kind
    replicas: int
    step_s: Range
    efficiency: Range
    measured: Scaled | None

    @property
    def error(self) -> float | None:
        """How far off the step time is, as a share of the measured one."""
        return None if self.measured is None else self.step_s.value / mean_step_s(self.measured.cell) - 1


@dataclass(frozen=True)
class Curve:
    """The points of one baseline over one way of putting replicas together.

    `beside` is what a step of the baseline's batch takes to compute among neighbours, None where it was not measured.
    `unshared` are numbers of replicas asked for that cannot share out that batch evenly, and so have no strong point.
    """

    baseline: CellSummary
    linked: CellSummary
    points: list[Point]
    beside: Range | None
    unshared: list[int]


def curve_names(curves: Sequence[Curve]) -> tuple[list[str], str]:
    """How each curve's replicas are put together, where curves differ in that; and what all have in common."""
    alike = {"replicas": 1, "workers": 1, "global_batch": Cell().global_batch}
    return short_names([curve.linked.cell.model_copy(update=alike) for curve in curves])


def mean_step_s(cell: CellSummary) -> float:
    """Seconds of a step over all steady windows; the cell has a throughput."""
    assert cell.throughput_images_per_s, "only timed cells are asked"
    return cell.cell.global_batch / cell.throughput_images_per_s


def curves_of(cells: Sequence[CellSummary], replicas: Sequence[int]) -> list[Curve]:
    """A curve for each one-replica cell, and each way in which several were put together from its like."""
    scaled = scaling_of(cells)
    return [_curve(baseline, linked, cells, scaled, replicas) for baseline, linked in _pairs(cells)]


def _pairs(cells: Sequence[CellSummary]) -> Iterator[tuple[CellSummary, CellSummary]]:
    """Each one-replica cell with the cell of most replicas whose all-reduces were measured, for each way.

    Replicas that share their cores are no pair: what they take says nothing of replicas that have their own.
    """
    apart = (cell for cell in cells if cell.communication and not cell.shares_cores)
    linked = sorted(apart, key=lambda cell: cell.cell.replicas)
    for baseline in (cell for cell in cells if cell.cell.replicas == 1):
        ways: dict[tuple[str, str], CellSummary] = {}
        for cell in linked:
            if baseline_of(cell, baseline.cell.global_batch, cells) is baseline:
                ways[_way(cell.cell)] = cell
        yield from ((baseline, cell) for cell in ways.values())


def _way(cell: Cell) -> tuple[str, str]:
    return cell.strategy, cell.all_reduce


def _curve(
    baseline: CellSummary,
    linked: CellSummary,
    cells: Sequence[CellSummary],
    scaled: Sequence[Scaled],
    replicas: Sequence[int],
) -> Curve:
    found = linked.communication
    assert found is not None, "it was chosen for that"
    beside = _beside(linked, cells)
    measured = {
        (one.kind, one.replicas): one
        for one in scaled
        if one.baseline is baseline and _way(one.cell.cell) == _way(linked.cell)
    }
    batch, points = baseline.cell.global_batch, list[Point]()
    unshared = [count for count in replicas if batch % count]
    for kind in KINDS:
        here = {count for measured_kind, count in measured if measured_kind == kind}
        asked = {*replicas} - {*unshared} if kind == "strong" else {*replicas}
        for count in sorted(asked | here):
            parts = count if kind == "strong" else 1
            alone_s = [seconds / parts for seconds in _compute_s(baseline)]
            among_s = _among_s(beside, batch, parts)
            basis = Basis(among_s or alone_s, found.links, found.gradient.size_bytes, alone_s if among_s else ())
            step, efficiency = forecast(basis, count)
            points.append(Point(kind, count, step, efficiency, measured.get((kind, count))))
    return Curve(baseline, linked, points, beside.get(batch), unshared)


def _beside(linked: CellSummary, cells: Sequence[CellSummary]) -> dict[int, Range]:
    """What computing among neighbours takes, by the batch of each replica; of most replicas where several know."""
    same = [
        cell
        for cell in sorted(cells, key=lambda cell: cell.cell.replicas)
        if _way(cell.cell) == _way(linked.cell) and family_of(cell.cell) == family_of(linked.cell)
    ]
    return {cell.cell.per_replica_batch: cell.computing for cell in same if cell.computing}


def _among_s(beside: Mapping[int, Range], batch: int, parts: int) -> list[float]:
    """Seconds to compute one part of a batch among neighbours, middle and bounds; empty where that is not known."""
    if batch % parts == 0 and (part := beside.get(batch // parts)):
        return [part.value, *_bounds(part)]
    whole = beside.get(batch)
    return [seconds / parts for seconds in (whole.value, *_bounds(whole))] if whole else []


def _bounds(figure: Range) -> list[float]:
    return [bound for bound in (figure.low, figure.high) if bound is not None]


def _compute_s(baseline: CellSummary) -> list[float]:
    """The mean step, and its bounds where there are any."""
    interval, images = baseline.interval, baseline.cell.global_batch
    return [mean_step_s(baseline), *([images / interval.high, images / interval.low] if interval else [])]


def forecast_table(curves: Sequence[Curve]) -> Further:
    """Every point of every curve in words."""
    names, shared = curve_names(curves)
    full = [_name(curve, name, len(curves)) for curve, name in zip(curves, names, strict=True)]
    lines = [[name, *_words(point)] for curve, name in zip(curves, full, strict=True) for point in curve.points]
    told = [tell(name, curve) for tell in (_neighbours, _left_out) for curve, name in zip(curves, full, strict=True)]
    return Further("Forecast", HEADERS, lines, (f"All: {shared}." if shared else "", *told, *_TOLD.splitlines()))


def _neighbours(name: str, curve: Curve) -> str:
    """What neighbours cost, which hosts with fewer workers would not have."""
    if curve.beside is None:
        return f"{name}: what computing beside others of its host costs a replica was not measured here."
    alone_s = _compute_s(curve.baseline)[0]
    times = f"{significant(1e3 * curve.beside.value)} ms, {curve.beside.value / alone_s:.2f} times as long"
    return (
        f"{name}: one replica alone computes a step in {significant(1e3 * alone_s)} ms, beside the others in {times}."
    )


def _left_out(name: str, curve: Curve) -> str:
    """Which strong points there cannot be, or nothing."""
    counts = ", ".join(f"{count:,}" for count in curve.unshared)
    return f"{name}: no strong scaling over {counts} replicas, which cannot share that batch out evenly." * bool(counts)


def _name(curve: Curve, linked: str, curves: int) -> str:
    batch = f"global batch {curve.baseline.cell.global_batch:,}"
    return f"{batch}, as {linked}" if curves > 1 else batch


def _words(point: Point) -> list[str]:
    measured = mean_step_s(point.measured.cell) if point.measured else None
    error = point.error
    return [
        point.kind,
        f"{point.replicas:,}",
        _scaled(point.step_s, 1e3),
        _scaled(point.efficiency, 100),
        significant(1e3 * measured if measured else None),
        "" if error is None else f"{100 * error:+.1f} %",
    ]


def _scaled(figure: Range, by: float) -> str:
    known = figure.low is not None and figure.high is not None
    interval = Interval(by * (figure.low or 0.0), by * (figure.high or 0.0)) if known else None
    return with_interval(by * figure.value, interval)
