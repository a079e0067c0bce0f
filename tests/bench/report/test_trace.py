"""The windows of a trial in order."""

import json

import pytest

from bench.report.gpu import telemetry_below
from bench.report.rows import rows_of
from bench.report.trace import trace_of
from bench.store.windows import Window

EVEN = [0.1, 0.1004, 0.0996, 0.1] * 10
WARM = [0.3, 0.2, 0.15]


def test_warm_up_and_disturbed_windows_stand_where_they_were(build):
    """Three slow windows at the start are warm-up, one in the middle is disturbed."""
    (row,) = build.rows(build.record(step_s=[*WARM, *EVEN[:20], 0.2, *EVEN[20:]]))
    trace = trace_of(row)
    assert trace.warmup == len(WARM)
    assert trace.disturbed.nonzero()[0].tolist() == [23]
    assert (trace.steady, trace.disturbed_share) == (41, 1 / 41)
    assert trace.at_s[:3].tolist() == pytest.approx([0.0, 3.0, 5.0])
    assert trace.step_s[:3].tolist() == pytest.approx(WARM)


def test_an_evaluation_breaks_the_line(build):
    """What follows a run-in did not begin as the window before ended; short windows are told."""
    windows = build.windows(EVEN[:20])
    end = windows[9].model_copy(update={"short": True})
    run_in = Window(phase="run_in", start_s=200.0, window_s=0.5, steps=5, loss=0.1, accuracy=0.9)
    (row,) = build.rows(build.record(step_s=EVEN, windows=[*windows[:9], end, run_in, *windows[10:]]))
    trace = trace_of(row)
    assert (~trace.follows[1:]).nonzero()[0].tolist() == [9]
    assert trace.short.nonzero()[0].tolist() == [9]


def test_windows_in_which_clocks_were_taken_away_are_disturbed(build, plan, tmp_path):
    """They need not be slow for it; telemetry knows them."""
    record = build.record({"device": "gpu"}, step_s=EVEN, telemetry="telemetry/anything")
    hit = record.windows.start_s[30] + 0.5
    samples = [[hit - 0.5 + 0.25 * place, 0, 4 if place == 2 else 0] for place in range(-120, 80)]
    (tmp_path / "telemetry").mkdir()
    lines = [{"gpus": ["GPU-a"], "columns": ["event_reasons"]}, *samples]
    path = tmp_path / "telemetry" / f"{record.trial.trial_id}.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    (row,) = rows_of(plan(record.trial), [record], telemetry_below(tmp_path))
    assert trace_of(row).disturbed.nonzero()[0].tolist() == [30]
