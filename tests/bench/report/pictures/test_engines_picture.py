"""The picture of engines."""

from bench.report.pictures.engines import plot_engines

NOISE = [0.99, 0.99, 1.01, 1.01] * 8


def timed(build, engine, step_s, batch=200):
    return build.record({"engine": engine, "global_batch": batch}, step_s=[step_s * one for one in NOISE])


def test_title_says_how_far_the_ratios_reach(build, texts):
    """A range over the other settings, for no setting stands for all."""
    batches = {100: 0.05, 200: 0.1}
    records = [timed(build, "fit", step_s, batch) for batch, step_s in batches.items()]
    records += [timed(build, "fused", 0.04, batch) for batch in batches]
    shown = texts(plot_engines, *records)
    assert "fused 1.25 to 2.50 times as fast as fit" in shown
    assert {"default", "global_batch=100", "images/s, fused ÷ fit (logarithmic)"} <= set(shown)
    assert "Hollow: not between processes" in " ".join(shown)


def test_one_engine_has_no_picture(build, texts):
    """There is nothing to hold it against."""
    assert texts(plot_engines, timed(build, "fit", 0.1), timed(build, "fit", 0.1, 400)) is None


def test_thirty_settings_are_too_many(build, texts):
    """The lowest and highest ratios are drawn, and the picture says how many are not."""
    records = [timed(build, engine, step_s, batch) for batch in range(100, 130) for engine, step_s in
               (("fit", 0.1), ("fused", 0.1 - batch / 10_000))]  # fmt: skip
    shown = " ".join(texts(plot_engines, *records))
    assert "the 24 sets of other settings with the lowest and highest ratios of 30; 6 more are in trials.csv" in shown
    assert "global_batch=129" in shown
    assert "global_batch=100" in shown
    assert "global_batch=115" not in shown
