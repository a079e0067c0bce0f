"""The picture of how step time spreads."""

from bench.report.pictures.step_time import plot_step_time

EVEN = [0.1, 0.1004, 0.0996, 0.1] * 8


def test_rows_tell_the_median_and_the_title_who_spreads_most(build, texts):
    """The slowest tenth of the windows against the median: 20 % here."""
    wide = build.record({"xla": True}, step_s=[0.1] * 27 + [0.12] * 13)
    shown = texts(plot_step_time, build.record(step_s=EVEN), wide)
    assert {"default", "xla", "100 ms", "step time against the cell's median (%)"} <= set(shown)
    title = "Step time spreads most in xla (slowest tenth of windows: +20.0 % or more), least in default (+0.4 %)"
    assert title in " ".join(" ".join(shown).split())


def test_windows_beyond_the_axis_are_counted(build, texts):
    """One window of five times the median would press all others together; it is told instead."""
    assert "1 more, up to +400 % ▸" in texts(plot_step_time, build.record(step_s=[*EVEN * 4, 0.5, *EVEN]))


def test_few_windows_show_no_spread(build, texts):
    """Seven are named as too few, and alone make no picture."""
    few = build.record({"xla": True}, step_s=EVEN[:7])
    assert texts(plot_step_time, few) is None
    assert "Not drawn: xla (fewer than 8 windows)." in " ".join(texts(plot_step_time, few, build.record(step_s=EVEN)))


def test_the_least_is_named_only_where_every_cell_is_drawn(build, texts):
    """Of thirty cells those are drawn that spread most, and the least of these is not the least."""
    records = [build.record({"cpu_threads": n}, step_s=[0.1] * 30 + [0.1 + n / 1000] * 10) for n in range(1, 31)]
    shown = " ".join(texts(plot_step_time, *records))
    assert "spreads most in cpu_threads=30" in shown
    assert "least" not in shown
    assert "the 24 cells that spread most of 30; 6 more" in shown


def test_many_windows_become_quantiles(build, texts):
    """A stroke for each of thousands would be one block of colour; the note says so."""
    assert "Of more than 128 windows as many quantiles." in " ".join(
        texts(plot_step_time, build.record(step_s=EVEN * 10))
    )
    assert "quantiles" not in " ".join(texts(plot_step_time, build.record(step_s=EVEN)))
