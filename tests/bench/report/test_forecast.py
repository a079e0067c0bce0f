"""All-reduces and forecasts of a run, in tables and in a picture."""

from pathlib import Path

import pytest

from bench.commands.forecast import counts_of
from bench.errors import UsageError
from bench.report.forecast import curves_of, forecast_table
from bench.report.further import for_markdown, further_tables
from bench.report.pictures.forecast import plot_forecast
from bench.report.pictures.scaling import plot_scaling
from bench.store.record import CollectiveWindow, ComputingWindow
from tests.bench.report.conftest import EFFECTIVE

ONE = {"strategy": "multi_worker_mirrored", "cpu_threads": 1}
TWO = ONE | {"replicas": 2, "workers": 2}
NOISE = [1.0, 1.004, 0.996, 1.0] * 8
LEAST_S, GRADIENT_S = 2e-3, 12e-3


def windows():
    """All-reduces over two workers: 1 ms a message, 10 ms for the gradient's bytes."""
    sizes = {1: LEAST_S, EFFECTIVE.parameters: GRADIENT_S, 4 * EFFECTIVE.parameters: 42e-3}
    return [CollectiveWindow(elements=size, calls=10, window_s=10 * s) for size, s in sizes.items() for _ in range(5)]


def trial(build, settings, step_s, *cpus, **rest):
    effective = EFFECTIVE.model_copy(update={"cpus": list(cpus)})
    return build.record(settings, step_s=[step_s * one for one in NOISE], effective=effective, **rest)


@pytest.fixture
def cells(build):
    """One worker takes 100 ms, two take 113 ms at twice the batch."""
    two = trial(build, TWO | {"global_batch": 400}, 0.113, "here 0", "here 1", collectives=windows())
    return build.cells(trial(build, ONE, 0.1, "here 0"), two)


def test_all_reduces_are_told_with_their_share_of_the_step(cells):
    """2 ms for nothing, 12 ms and its bandwidths for the gradient, a tenth of the step."""
    _, table = further_tables(cells)
    assert table.title == "Communication"
    ((_, n, least, _, gradient, bandwidths, share, _),) = table.lines
    assert (n, least, gradient) == ("2", "2,000", "12.0 (12.0–12.0)")
    assert bandwidths == "198 / 198"
    assert share == "10.6"


def test_a_forecast_adds_the_ring_to_one_workers_step(cells):
    """Over two workers what was measured, over more as many latencies as messages; beside it what was measured."""
    (curve,) = curves_of(cells, [2, 4])
    weak = {point.replicas: point for point in curve.points if point.kind == "weak"}
    assert weak[2].step_s.value == pytest.approx(0.1 + GRADIENT_S)
    # of two workers a third of the least is the request, which is waited for once; of four there are six messages more
    assert weak[4].step_s.value == pytest.approx(0.1 + 7 / 3 * LEAST_S + 1.5 * (GRADIENT_S - LEAST_S))
    assert weak[2].step_s.low < weak[2].step_s.value < weak[2].step_s.high
    assert weak[2].error == pytest.approx(0.112 / 0.113 - 1)
    assert weak[4].measured is None
    strong = {point.replicas: point for point in curve.points if point.kind == "strong"}
    assert strong[2].step_s.value == pytest.approx(0.05 + GRADIENT_S)
    assert strong[2].efficiency.value == pytest.approx(0.05 / (0.05 + GRADIENT_S))


def test_replicas_that_share_their_cores_are_no_basis(build):
    """What two replicas take on one worker's cores says nothing of replicas that have their own."""
    two = trial(build, TWO | {"global_batch": 400}, 0.113, "here 0", "here 0", collectives=windows())
    assert curves_of(build.cells(trial(build, ONE, 0.1, "here 0"), two), [2, 4]) == []


def test_computing_among_neighbours_takes_one_workers_place(build):
    """Steps are made of what workers take beside each other, at the batch where it was measured, else in proportion.

    Efficiency stays that of one worker alone; the table says what neighbours cost.
    """
    beside = [ComputingWindow(steps=10, window_s=seconds) for seconds in (1.06, 1.08, 1.10)]
    one = trial(build, ONE, 0.1, "here 0")
    weak = trial(build, TWO | {"global_batch": 400}, 0.121, "here 0", "here 1", collectives=windows(), computing=beside)
    halves = [ComputingWindow(steps=10, window_s=0.58)]
    strong = trial(build, TWO, 0.071, "here 0", "here 1", collectives=windows(), computing=halves)
    for cells, half_s in ((build.cells(one, weak), 0.054), (build.cells(one, weak, strong), 0.058)):
        (curve,) = curves_of(cells, [2, 4])
        steps = {(point.kind, point.replicas): point.step_s.value for point in curve.points}
        assert steps["weak", 2] == pytest.approx(0.108 + GRADIENT_S)
        assert steps["strong", 2] == pytest.approx(half_s + GRADIENT_S)
        assert steps["strong", 4] - steps["weak", 4] == pytest.approx(0.108 / 4 - 0.108)
        two = next(point for point in curve.points if (point.kind, point.replicas) == ("weak", 2))
        assert (two.step_s.low, two.step_s.high) == pytest.approx((0.106 + GRADIENT_S, 0.110 + GRADIENT_S))
        assert two.efficiency.value == pytest.approx(0.1 / (0.108 + GRADIENT_S))
        assert "beside the others in 108 ms, 1.08 times as long" in for_markdown(forecast_table([curve]))


def test_the_table_leaves_empty_what_was_not_measured(cells):
    """A line for each number of replicas; only where there was a measurement is there an error."""
    text = for_markdown(forecast_table(curves_of(cells, [2, 200])))
    assert "| weak | 2 |" in text
    assert "| 113 | -0.9 % |" in text
    assert text.count("|  |  |\n") == 3
    assert "no strong scaling" not in text
    assert "Patarasuk" in text


def test_no_step_is_shared_out_unevenly(cells):
    """Where the batch is not divisible by the replicas, or smaller, there is no strong forecast, and that is told."""
    (curve,) = curves_of(cells, [3, 4, 512])
    counts = {kind: [point.replicas for point in curve.points if point.kind == kind] for kind in ("strong", "weak")}
    assert counts == {"strong": [4], "weak": [2, 3, 4, 512]}
    told = "no strong scaling over 3, 512 replicas, which cannot share that batch out evenly"
    assert told in for_markdown(forecast_table([curve]))


def test_nothing_is_forecast_without_both_ends(build, cells, tmp_path: Path):
    """It takes one replica's time and measured all-reduces of the same settings."""
    one, two = (cell.rows[0].record for cell in cells)
    assert curves_of(build.cells(one), [4]) == []
    assert curves_of(build.cells(two), [4]) == []
    assert curves_of(build.cells(trial(build, ONE | {"engine": "fused"}, 0.1, "here 0"), two), [4]) == []
    assert plot_forecast(tmp_path / "forecast", []) is None


def test_the_forecast_is_drawn(cells, tmp_path: Path):
    """A PNG of both kinds of scaling."""
    drawn = plot_forecast(tmp_path / "forecast", curves_of(cells, [2, 4, 8, 512]))
    assert drawn.stem.with_suffix(".png").stat().st_size > 10_000


def test_numbers_of_replicas_are_checked():
    """Sorted, each once, from 2 on."""
    assert counts_of("8,2, 4,2") == [2, 4, 8]
    for wrong in ("", "1", "2,x", "-2", "2.5", "9" * 5000):
        with pytest.raises(UsageError, match="give numbers from 2 on"):
            counts_of(wrong)


def test_the_forecast_stands_beside_what_was_measured(build, cells, tmp_path: Path):
    """In the picture of scaling, where the run has what a forecast needs, and nowhere else."""
    stem = tmp_path / "scaling"
    assert "Dotted: forecast" in plot_scaling(stem, cells).note
    records = [row.record.model_copy(update={"collectives": None}) for cell in cells for row in cell.rows]
    assert "forecast" not in plot_scaling(stem, build.cells(*records)).note
