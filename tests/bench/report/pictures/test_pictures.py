"""What the pictures show; drawn as SVG, whose comments hold every text."""

import pytest

from bench.report.pictures.catalogue import (
    PLOTS,
    plot_accuracy,
    plot_history,
    plot_memory,
    plot_roofline,
    plot_throughput,
)
from tests.bench.report.conftest import EFFECTIVE

STEADY = [0.099, 0.099, 0.101, 0.101] * 4
WORK = {"training_flops_per_image": 25 * 10**6, "training_bytes_per_image": 10**6}
HOST = {"peak_host_memory_bytes": 700 * 2**20}
TAKE_TWO = {"throughput", "memory", "accuracy"}
SPECIAL = {"scaling", "engines"}
"""Of cells that differ in one setting."""


@pytest.mark.parametrize("plot", PLOTS.values())
def test_nothing_is_drawn_without_data(build, tmp_path, plot):
    """A picture of unsupported, failed and unmeasured trials would be empty, so there is none."""
    path = tmp_path / "plot"
    records = [
        build.record(status="unsupported"),
        build.record({"xla": True}, status="oom", peak_host_memory_bytes=5),
        build.record({"engine": "fit"}, status="invalid", step_s=STEADY, accuracies=[0.9], **HOST),
        build.record({"engine": "fused"}),
    ]
    assert plot(path, build.cells(*records)) is None
    assert plot(path, []) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("plot", "count"),
    [(plot, count) for name, plot in PLOTS.items() if name not in SPECIAL for count in (1 + (name in TAKE_TWO), 20)],
)
def test_one_or_two_to_twenty_cells_are_drawn(build, tmp_path, plot, count):
    """Each picture is a PNG of a size that a page can show."""
    cells = [
        {
            "variant": variant,
            "engine": engine,
            "global_batch": batch,
            "precision": "mixed_bfloat16",
            "optimizer": "adam",
        }
        for variant in ("article", "batchnorm_dropout")
        for engine in ("step", "fused")
        for batch in (64, 200, 201, 1000, 4000)
    ]
    windows = build.windows(STEADY, first_step_s=1.0)
    rest = {"windows": windows, "effective": EFFECTIVE, **HOST, **WORK}
    records = [build.record(cell, accuracies=[0.98, 0.99], **rest) for cell in cells[:count]]
    plot(tmp_path / "plot", build.cells(*records, ceilings=build.ceilings()))
    head = (tmp_path / "plot.png").read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(head[start : start + 4], "big") for start in (16, 20))
    assert 600 < width < 2400
    assert 350 < height < 2400


@pytest.mark.parametrize("plot", [plot_throughput, plot_memory, plot_accuracy])
def test_a_picture_that_compares_is_of_two_cells_at_least(build, tmp_path, plot):
    """A second one that has no such figure is none."""
    one = build.record(step_s=STEADY, accuracies=[0.98], **HOST)
    unmeasured = build.record({"xla": True}, status="unsupported")
    assert plot(tmp_path / "plot", build.cells(one, unmeasured)) is None
    assert list(tmp_path.iterdir()) == []


def test_throughput_names_the_fastest_and_what_is_missing(build, texts):
    """Units, measured batches, a line for each set of other settings, and the cells that are not there."""
    shown = texts(
        plot_throughput,
        build.record(step_s=STEADY),
        build.record({"global_batch": 400}, step_s=STEADY),
        build.record({"xla": True}, step_s=[2 * step_s for step_s in STEADY]),
        build.record({"strategy": "mirrored", "replicas": 4}, status="unsupported"),
    )
    assert "Fastest in this one run: default at global batch 400, 4,000 images/s" in " ".join(shown)
    assert "the slowest" not in " ".join(shown)
    assert "Not drawn: mirrored ×4 (unsupported)." in " ".join(shown)
    assert {"throughput (images/s)", "200", "400", "default", "xla", "0"} <= set(shown)


def test_throughput_says_what_it_cannot_tell_apart(build, texts):
    """A title claims no winner that the intervals between processes do not show."""
    near = [
        build.record(cell, repeat=repeat, step_s=[(times + 0.01 * repeat) * step_s for step_s in STEADY])
        for cell, times in (({}, 1), ({"xla": True}, 1.005))
        for repeat in range(3)
    ]
    shown = " ".join(texts(plot_throughput, *near))
    assert "Fastest: default, 1,980 images/s, not told apart from 1 other" in shown


def test_throughput_says_how_many_have_no_interval(build, texts):
    """A mark without a bar would pass for one whose interval is too narrow to be seen."""
    sure, rough = build.record(step_s=STEADY), build.record({"xla": True}, step_s=STEADY[:3])
    assert "1 of 2 cells have none" in " ".join(texts(plot_throughput, sure, rough))
    also_sure = build.record({"xla": True}, step_s=STEADY)
    assert "have none" not in " ".join(texts(plot_throughput, sure, also_sure))


def test_throughput_of_replicas_on_shared_cores_is_marked(build, texts):
    """The picture does not pass for a scaling measurement."""
    own, other = build.record(step_s=STEADY), build.record({"xla": True}, step_s=STEADY)
    shared = build.record({"strategy": "mirrored", "replicas": 2}, step_s=STEADY)
    assert "functional, not scaling" in " ".join(texts(plot_throughput, own, shared))
    assert "functional" not in " ".join(texts(plot_throughput, own, other))


def test_memory_shows_the_device_only_where_it_was_measured(build, texts):
    """The panels say which memory they show, in MiB and from 0."""
    host = build.record(step_s=STEADY, **HOST)
    assert "peak device memory (MiB)" not in texts(plot_memory, host, build.record({"xla": True}, **HOST))
    shown = texts(plot_memory, host, build.record({"xla": True}, peak_device_memory_bytes=3 * 2**30, **HOST))
    assert {"peak host memory (MiB)", "peak device memory (MiB)", "0"} <= set(shown)
    assert any("3,072 MiB" in text for text in shown)


def test_accuracy_labels_every_cell_and_names_the_ones_without(build, texts):
    """A cell that its budget stopped has no point; synthetic images have nothing to learn."""
    shown = texts(
        plot_accuracy,
        build.record(step_s=STEADY, accuracies=[0.98]),
        build.record({"engine": "fit"}, step_s=[2 * step_s for step_s in STEADY], accuracies=[0.99]),
        build.record({"precision": "mixed_float16"}, step_s=STEADY, stopped_by="budget"),
        build.record({"input": "synthetic"}, step_s=STEADY, accuracies=[0.1]),
    )
    assert {"default", "engine=fit"} <= set(shown)
    assert "Test accuracy 98.00 to 99.00 % after 1 epoch, one seed each: no ranking" in " ".join(shown)
    assert "Not drawn: input=synthetic (nothing to learn), mixed_float16 (no accuracy)." in " ".join(shown)
    assert "test accuracy (%, axis does not start at 0)" in shown


def test_accuracy_names_the_fastest_as_every_report_does(build, texts):
    """Replicas on shared cores are never the fastest, and no other is called so where the fastest is not drawn."""
    drawn = [
        build.record({"strategy": "mirrored", "replicas": 2}, step_s=[0.01] * 8, accuracies=[0.98]),
        build.record(step_s=STEADY, accuracies=[0.98]),
    ]
    synthetic = build.record({"input": "synthetic"}, step_s=[0.05] * 8)
    assert "no ranking; fastest in this one run: default, 2,000 images/s" in " ".join(texts(plot_accuracy, *drawn))
    assert "fastest" not in " ".join(texts(plot_accuracy, *drawn, synthetic))


def test_accuracy_names_the_rivals_of_the_fastest(build, texts):
    """A title that named it alone would claim what the intervals do not show."""
    near = [
        build.record(cell, repeat=repeat, step_s=[(times + 0.01 * repeat) * step for step in STEADY], accuracies=[0.98])
        for cell, times in (({}, 1), ({"xla": True}, 1.005))
        for repeat in range(3)
    ]
    assert "fastest: default, 1,980 images/s, not told apart from 1 other" in " ".join(texts(plot_accuracy, *near))


def test_many_long_names_become_numbers_with_a_key(build, texts):
    """Twenty names would fill the picture; each still stands in the key."""
    cells = [
        {"variant": "batchnorm_dropout", "global_batch": batch, "xla": batch % 2 == 0} for batch in range(100, 120)
    ]
    shown = texts(plot_accuracy, *(build.record(cell, step_s=STEADY, accuracies=[0.98]) for cell in cells))
    assert {str(number) for number in range(1, 21)} <= set(shown)
    assert {f"10  global_batch={batch}" for batch in range(100, 120)} & set(shown)


@pytest.mark.parametrize(
    ("plot", "said"),
    [
        (plot_throughput, "the 24 series with the highest throughput of 30; 6 more"),
        (plot_memory, "the 24 series with the highest peak host memory of 30; 6 more"),
        (plot_accuracy, "the 12 fastest and the 12 most accurate cells of 30; 6 more"),
        (plot_history, "the 24 cells with the highest test accuracy of 30; 6 more"),
    ],
)
def test_picture_of_more_than_can_be_told_apart_says_how_many_are_missing(build, texts, plot, said):
    """Thirty cells of other thread counts, each slower and more accurate than the one before."""
    records = [
        build.record(
            {"cpu_threads": threads}, step_s=[threads * step_s for step_s in STEADY], accuracies=[0.9 + threads / 1000],
            **HOST,
        )
        for threads in range(1, 31)
    ]  # fmt: skip
    shown = " ".join(texts(plot, *records))
    assert f"Drawn are {said} are in trials.csv." in shown
    assert "Not drawn:" not in shown


def test_history_of_several_epochs_has_curves_of_training_and_test(build, texts):
    """Both kinds are in the legend, and the title says where the last epochs ended."""
    shown = texts(plot_history, build.record(accuracies=[0.97, 0.98, 0.99]))
    assert {"epoch", "loss (cross-entropy), logarithmic", "accuracy (%)", "training", "test"} <= set(shown)
    assert "99.00 % after epoch 3" in " ".join(shown)


def test_history_of_one_epoch_has_a_line_for_each_cell(build, texts):
    """With one epoch there is no curve; the cells stand beneath each other instead."""
    shown = texts(plot_history, build.record(accuracies=[0.97]), build.record({"xla": True}, accuracies=[0.98]))
    assert {"default", "xla", "accuracy (%) of epoch 1", "training", "test"} <= set(shown)


def test_history_has_gaps_where_the_loss_was_not_finite(build, texts):
    """A loss of None breaks no picture and wins nothing."""
    lost = build.record({"xla": True, "epochs": 2}, epochs=build.epochs(0.2, 0.1, loss=None))
    shown = " ".join(texts(plot_history, lost, build.record(accuracies=[0.97, 0.98])))
    assert "Test accuracy 10.00 to 98.00 % after epoch 2; test loss 0.025" in shown
    assert texts(plot_history, lost) is not None


def test_roofline_names_cells_roofs_and_what_has_none(build, texts):
    """Each cell is a label, each precision a roof; the title says which cell is nearest to its roof."""
    cells = [{}, {"precision": "mixed_bfloat16"}, {"precision": "mixed_float16"}]
    records = [build.record(cell, step_s=STEADY, **WORK) for cell in cells]
    shown = texts(plot_roofline, *records, ceilings=build.ceilings())
    assert {"default", "mixed_bfloat16", "float32, 2 threads", "mixed_bfloat16, 2 threads"} <= set(shown)
    assert {"operational intensity (FLOP/byte, logarithmic)", "training GFLOP/s (logarithmic)"} <= set(shown)
    assert "Nearest to its roof: default, 25.0 % of what the measured matmul allows" in " ".join(shown)
    assert "Not drawn: mixed_float16 (no ceilings)." in " ".join(shown)


def test_roofline_needs_ceilings(build, texts):
    """A run of a machine that was never measured has no such picture."""
    assert texts(plot_roofline, build.record(step_s=STEADY, **WORK)) is None


def test_roofline_says_where_memory_is_the_limit(build, texts):
    """At 5 FLOP/byte 20 GB/s allow 100 GFLOP/s, of which 2,000 images/s of 25 MFLOP are a half."""
    work = WORK | {"training_bytes_per_image": 5 * 10**6}
    shown = " ".join(texts(plot_roofline, build.record(step_s=STEADY, **work), ceilings=build.ceilings()))
    assert "default: 50.0 % of what the measured memory bandwidth allows" in shown
