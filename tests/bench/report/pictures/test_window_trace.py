"""The picture of step time window by window."""

from bench.report.pictures.window_trace import plot_window_trace

EVEN = [0.1, 0.1004, 0.0996, 0.1] * 10


def test_title_tells_the_most_disturbed_cell(build, texts):
    """With how many of its steady windows, and a legend of what there is to see."""
    hit = build.record({"xla": True}, step_s=[0.3, 0.2, *EVEN, 0.2, *EVEN])
    shown = texts(plot_window_trace, build.record(step_s=EVEN), hit)
    assert "Most disturbed: xla, 1 of 81 steady windows (1.23 %)" in shown
    assert {"default", "xla", "window", "disturbed", "warm-up, left out", "seconds since the first window"} <= set(
        shown
    )
    assert "short window" not in shown


def test_quiet_trials_are_called_so(build, texts):
    """No window is marked for being the slowest of an even series."""
    shown = texts(plot_window_trace, build.record(step_s=EVEN))
    assert "No steady window was disturbed" in shown
    assert "disturbed" not in shown


def test_six_cells_are_enough(build, texts):
    """Those with most disturbed windows, whatever the order; the rest is counted."""
    records = [
        build.record({"cpu_threads": threads}, step_s=[*EVEN, *[0.2] * (threads // 2), *EVEN])
        for threads in range(1, 10)
    ]
    shown = texts(plot_window_trace, *records)
    assert "the 6 cells with most disturbed windows of 9; 3 more" in " ".join(shown)
    assert {f"cpu_threads={threads}" for threads in (9, 8, 7, 6, 5, 4)} <= set(shown)
    assert "cpu_threads=1" not in shown
