"""Several replicas beside one of the same settings."""

import re
from pathlib import Path

import pytest

from bench.report.further import for_markdown, further_tables
from bench.report.pictures.catalogue import PLOTS
from bench.report.scaling import alone, scaling_of, scaling_remark
from tests.bench.report.conftest import EFFECTIVE

STEADY = [0.1, 0.1004, 0.0996, 0.1] * 8
ONE = {"strategy": "multi_worker_mirrored", "cpu_threads": 1}
TWO = ONE | {"replicas": 2, "workers": 2}


def on(*cpus: str, **rest):
    return {"effective": EFFECTIVE.model_copy(update={"cpus": list(cpus)}), **rest}


def alone_on_one(build, factor=1.0, **settings):
    return build.record(ONE | settings, step_s=[factor * one for one in STEADY], **on("here 0"))


def on_two(build, factor=1.0, **settings):
    return build.record(TWO | settings, step_s=[factor * one for one in STEADY], **on("here 0", "here 1"))


def test_strong_and_weak_are_told_apart_by_the_batch(build):
    """Against the same global batch the step is shared out, against the same batch per replica the work doubles."""
    strong, weak = scaling_of(
        build.cells(alone_on_one(build), on_two(build, 0.6), on_two(build, 1.25, global_batch=400))
    )
    assert (strong.kind, weak.kind) == ("strong", "weak")
    assert (strong.speed_up, strong.efficiency) == pytest.approx((1 / 0.6, 0.5 / 0.6))
    assert (weak.speed_up, weak.efficiency) == pytest.approx((1.6, 0.8))
    assert strong.interval.low < strong.speed_up < strong.interval.high
    assert weak.efficiency_interval.low < 0.8 < weak.efficiency_interval.high


def test_asynchronous_replicas_scale_weakly_only(build):
    """Each update has the batch that one worker has alone, so nothing is ever shared out."""
    served = {"strategy": "parameter_server", "servers": 2}
    cells = build.cells(alone_on_one(build, strategy="parameter_server"), on_two(build, 0.6, **served))
    (scaled,) = scaling_of(cells)
    assert (scaled.kind, scaled.speed_up) == ("weak", pytest.approx(1 / 0.6))


def test_the_same_strategy_comes_first_then_none(build):
    """One replica of the strategy, else TensorFlow without one, else one device; another strategy never."""
    others = [build.record({"strategy": name, "cpu_threads": 1}, step_s=STEADY) for name in ("one_device", "default")]
    mirrored = build.record({"strategy": "mirrored", "cpu_threads": 1}, step_s=STEADY)
    own = alone_on_one(build)

    def strategy(*records):
        return scaling_of(build.cells(*records, on_two(build)))[0].baseline.cell.strategy

    assert strategy(*others, mirrored, own) == "multi_worker_mirrored"
    assert strategy(*others, mirrored) == "default"
    assert strategy(others[0], mirrored) == "one_device"
    assert scaling_of(build.cells(mirrored, on_two(build))) == []


@pytest.mark.parametrize(
    "other", [{"engine": "fused"}, {"precision": "mixed_bfloat16"}, {"xla": True}, {"cpu_threads": 2}]
)
def test_nothing_is_compared_across_settings(build, other):
    """Another engine, precision or number of threads, or XLA, is no baseline, and the report says what is missing."""
    cells = build.cells(alone_on_one(build, **other), on_two(build))
    assert scaling_of(cells) == []
    assert [cell.cell.replicas for cell in alone(cells)] == [2]
    assert "It takes a row of 1 replica" in scaling_remark(cells)


def test_a_baseline_with_more_cores_is_none(build):
    """A worker of one core is not held against one of two."""
    wide = build.record(ONE, step_s=STEADY, **on("here 0-1"))
    assert scaling_of(build.cells(wide, on_two(build))) == []


def test_unknown_intervals_stay_unknown(build):
    """Too few windows on one side leave the speed-up without bounds."""
    rough = build.record(ONE, step_s=STEADY[:3], **on("here 0"))
    (scaled,) = scaling_of(build.cells(rough, on_two(build)))
    assert scaled.interval is None
    assert scaled.efficiency_interval is None


def test_workers_with_cores_of_their_own_scale(build):
    """They are not marked, those that share a core are, be it as its threads; the table says so too."""
    (own,) = build.rows(on_two(build))
    (shared,) = build.rows(build.record(TWO, step_s=STEADY, **on("here 0", "here 0")))
    one_core = EFFECTIVE.model_copy(update={"cpus": ["here 0", "here 2"], "cores": ["here 0,2"] * 2})
    (threads,) = build.rows(build.record(TWO, step_s=STEADY, effective=one_core))
    assert own.notes == ()
    assert shared.notes == threads.notes == ("functional, not scaling: the replicas share the same cores",)
    (table,) = further_tables(build.cells(alone_on_one(build), shared.record))
    assert "functional, not scaling" in for_markdown(table)
    (table,) = further_tables(build.cells(alone_on_one(build), own.record))
    assert "functional" not in for_markdown(table)


def test_the_picture_has_a_panel_for_each_kind(build, tmp_path: Path):
    """Drawn where there is something to compare, and only then."""
    stem = tmp_path / "scaling"
    assert PLOTS["scaling"](stem, build.cells(on_two(build))) is None
    cells = build.cells(alone_on_one(build), on_two(build, 0.6), on_two(build, 1.25, global_batch=400))
    assert PLOTS["scaling"](stem, cells).stem == stem
    assert stem.with_suffix(".png").stat().st_size > 10_000


def test_the_ideal_line_is_as_high_as_there_are_replicas(build, tmp_path: Path):
    """In each panel the one dashed line is named, and over the ticks 1, 2 and 4 it is at a speed-up of as much."""
    four = [
        build.record(ONE | {"replicas": 4, "workers": 4, "global_batch": batch}, step_s=STEADY, **on(*"0123"))
        for batch in (200, 800)
    ]
    two = on_two(build), on_two(build, global_batch=400)
    PLOTS["scaling"](tmp_path / "scaling", build.cells(alone_on_one(build), *two, *four))
    panels = (tmp_path / "scaling.svg").read_text().split('<g id="axes_')[1:]
    assert len(panels) == 2
    for panel in panels:
        ticks = re.findall(r'"([xy])tick_\d+">\s*<g .*?d="M (\S+) (\S+).*?<!-- (\d+) -->', panel, re.DOTALL)
        places = {(axis, number): x if axis == "x" else y for axis, x, y, number in ticks}
        (ideal,) = re.findall(r'<path d="M ([^"]*)"[^>]*stroke-dasharray', panel)
        assert ideal.replace("L ", "").split() == [places[axis, number] for number in "124" for axis in "xy"]
        assert "<!-- ideal -->" in panel
