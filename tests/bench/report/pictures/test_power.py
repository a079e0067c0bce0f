"""The picture of power and clocks over time."""

import html
import json
import re

import pytest

from bench.report.beside import at_once
from bench.report.cells import summarise
from bench.report.gpu import telemetry_below
from bench.report.pictures.catalogue import drawing
from bench.report.pictures.power import plot_power
from bench.report.rows import rows_of

STEP_S = 0.1
CPU = {"device": "cpu"}


@pytest.fixture
def run_of(tmp_path, plan, build):
    """Cells of trials on a GPU each, at so many watts, and what reads their telemetry."""

    def make(*watts, columns=("power_w", "sm_clock_mhz", "event_reasons"), throttled=False, others=()):
        (tmp_path / "telemetry").mkdir(exist_ok=True)
        records = list(others)
        for place, power_w in enumerate(watts):
            settings = {"device": "gpu", "global_batch": 1000 * (place + 1)}
            record = build.record(settings, step_s=[STEP_S] * 40, telemetry="telemetry/anything")
            values = {"power_w": power_w, "sm_clock_mhz": 1980.0 - 10 * place, "event_reasons": 4 * throttled}
            samples = [[99 + 0.1 * at, 0, *(values[name] for name in columns)] for at in range(430)]
            lines = [{"gpus": ["GPU-a"], "columns": list(columns)}, *samples]
            path = tmp_path / "telemetry" / f"{record.trial.trial_id}.jsonl"
            path.write_text("\n".join(map(json.dumps, lines)))
            records.append(record)
        telemetry = telemetry_below(tmp_path)
        rows = rows_of(plan(*(record.trial for record in records)), records, telemetry)
        return summarise(rows), telemetry

    return make


@pytest.fixture
def shown_of(tmp_path):
    def draw(cells, telemetry):
        drawn = plot_power(tmp_path / "power", cells, telemetry)
        return drawn and re.findall(r"<!-- (.*?) -->", html.unescape((tmp_path / "power.svg").read_text()), re.DOTALL)

    return draw


def test_power_and_clock_have_a_panel_each(build, run_of, shown_of):
    """The title says which cell took most, a cell without a GPU is named as missing."""
    cpu = build.record(step_s=[STEP_S] * 40)
    shown = shown_of(*run_of(250.0, 300.0, others=[cpu]))
    assert "Most power: global_batch=2000, 300 W; no clocks taken away" in shown
    assert {"power (W)", "SM clock (MHz,", "global_batch=1000", "global_batch=2000"} <= set(shown)
    assert "(no GPU)" in " ".join(shown)
    assert "Shaded" not in " ".join(shown)


def test_clocks_taken_away_are_told(run_of, shown_of):
    """Shaded where it happened."""
    shown = " ".join(shown_of(*run_of(250.0, throttled=True)))
    assert "250 W; clocks taken away" in shown
    assert "Shaded: clocks were taken away." in shown


def test_what_a_gpu_does_not_tell_has_no_panel(run_of, shown_of):
    """A GPU without clocks has its power drawn, one without power its clocks, and neither is made up."""
    assert "SM clock (MHz," not in shown_of(*run_of(250.0, columns=("power_w",)))
    shown = shown_of(*run_of(250.0, columns=("sm_clock_mhz",)))
    assert "power (W)" not in shown
    assert "SM clock (MHz," in shown


def test_without_a_gpu_there_is_no_picture(build, run_of, shown_of, tmp_path):
    """Nor is there one of telemetry that is gone, and an old one does not stay."""
    cells, telemetry = run_of(250.0)
    plots = tmp_path / "plots"
    for known, drawn in ((telemetry, True), (lambda _: None, False)):
        with drawing(plots, cells, known, at_once) as pictures:
            assert ("power" in [picture.stem.name for picture in pictures()]) == drawn
    assert not (plots / "power.png").exists()
    assert shown_of(build.cells(build.record(step_s=[STEP_S] * 40)), telemetry) is None


def test_only_the_trials_that_are_drawn_are_read(run_of, shown_of):
    """Of nine cells the four that took most power: telemetry of thousands of trials would fill the memory."""
    cells, telemetry = run_of(*(200.0 + 10 * place for place in range(9)))
    asked = []

    def watch(record):
        asked.append(record.trial.cell.global_batch)
        return telemetry(record)

    shown = shown_of(cells, watch)
    assert sorted(asked) == [6000, 7000, 8000, 9000]
    assert "the 4 cells that took most power of 9; 5 more" in " ".join(shown)
