"""Engines beside each other at the same other settings."""

import pytest

from bench.measure.ratios import ratio_interval
from bench.report.engines import engines_of
from tests.bench.report.conftest import EFFECTIVE

NOISE = [0.99, 0.99, 1.01, 1.01] * 8


@pytest.fixture
def timed(build):
    def make(engine, step_s, cell=None, **rest):
        return build.record({"engine": engine} | (cell or {}), step_s=[step_s * one for one in NOISE], **rest)

    return make


def test_each_engine_is_held_against_fit(build, timed):
    """A step in half the time is twice as fast; the interval is that of a ratio of two throughputs."""
    cells = build.cells(timed("fit", 0.1), timed("step", 0.08), timed("fused", 0.05))
    found = {one.pair: one for one in engines_of(cells)}
    assert {pair: one.value for pair, one in found.items()} == pytest.approx({"step ÷ fit": 1.25, "fused ÷ fit": 2.0})
    fit, fused = (next(cell for cell in cells if cell.cell.engine == engine) for engine in ("fit", "fused"))
    bounds = ratio_interval(fused.throughput_images_per_s, fused.interval, fit.throughput_images_per_s, fit.interval)
    assert found["fused ÷ fit"].interval == bounds
    assert bounds.low < 2.0 < bounds.high


def test_without_fit_the_first_engine_is_what_the_other_is_held_against(build, timed):
    """There is a ratio all the same, and it says of what."""
    (one,) = engines_of(build.cells(timed("fused", 0.05), timed("step", 0.1)))
    assert (one.pair, one.value) == ("fused ÷ step", pytest.approx(2.0))


@pytest.mark.parametrize("other", [{"global_batch": 400}, {"xla": True}, {"input": "resident"}])
def test_nothing_is_compared_across_other_settings(build, timed, other):
    """What differs in more than the engine has no ratio."""
    assert engines_of(build.cells(timed("fit", 0.1), timed("fused", 0.05, other))) == []


def test_replicas_on_shared_cores_are_no_measure_of_an_engine(build, timed):
    """They are functional, not a speed."""
    shared = {"strategy": "mirrored", "replicas": 2}
    assert engines_of(build.cells(timed("fit", 0.1, shared), timed("fused", 0.05, shared))) == []


def test_an_interval_within_processes_says_nothing_of_a_rerun(build, timed):
    """Three trials of both engines do."""
    pair = [timed(engine, 0.1, repeat=repeat) for engine in ("fit", "fused") for repeat in range(3)]
    (between,), (within,) = engines_of(build.cells(*pair)), engines_of(build.cells(pair[0], pair[3]))
    assert (between.between_processes, within.between_processes) == (True, False)


def test_other_kernels_are_told(build, timed):
    """A ratio of engines of which one ran oneDNN's kernels is that of both together."""
    without = EFFECTIVE.model_copy(update={"onednn": False})
    (mixed,) = engines_of(build.cells(timed("fit", 0.1, effective=without), timed("fused", 0.05)))
    (alike,) = engines_of(build.cells(timed("fit", 0.1), timed("fused", 0.05)))
    assert (mixed.other_kernels, alike.other_kernels) == (True, False)
