"""Curves of loss and accuracy over epochs."""

import math

import pytest

from bench.report.pictures.canvas import Style
from bench.report.pictures.curves import PUBLISHED_EPOCHS
from bench.report.pictures.history import plot_history
from bench.report.pictures.learned import ACCURACY, Learned

TOPS = [0.96 + 0.003 * epoch for epoch in range(PUBLISHED_EPOCHS)]


def test_seeds_are_told_apart_from_their_mean(build, texts):
    """With two seeds or more the note says what the thin lines and bands are; with one there are none."""
    one, two = build.record(accuracies=[0.97, 0.98]), build.record(seed=1, accuracies=[0.96, 0.99])
    assert "thin: each seed; bands: their standard deviation" in " ".join(texts(plot_history, one, two))
    assert "seed" not in " ".join(texts(plot_history, one))


def test_repeats_of_a_seed_are_one_model(build):
    """They count once in a mean over seeds, and an epoch that one seed lacks has no mean."""
    repeats = [build.epochs(0.96, 0.98), build.epochs(0.98, 0.98)]
    table = Learned("", Style((0, 0, 0), "o"), {0: repeats, 1: [build.epochs(0.99)]}).by_seed(ACCURACY.test)
    assert table.tolist() == [pytest.approx([97.0, 98.0]), pytest.approx([99.0, math.nan], nan_ok=True)]


@pytest.mark.parametrize(
    ("settings", "epochs", "stars"),
    [
        ({}, 10, True),
        ({"engine": "fused"}, 10, True),
        ({}, 9, False),
        ({"recipe": "tuned"}, 10, False),
        ({"variant": "batchnorm"}, 10, False),
        ({"optimizer": "adam"}, 10, False),
        ({"global_batch": 800}, 10, False),
    ],
)
def test_published_figures_stand_beside_the_articles_run_only(build, texts, settings, epochs, stars):
    """Another recipe, network or batch, or fewer epochs, are no reproduction of it."""
    shown = " ".join(" ".join(texts(plot_history, build.record(settings, accuracies=TOPS[:epochs]))).split())
    assert ("published test figures after 10 epochs, 99.27 % and 0.03166" in shown) is stars
