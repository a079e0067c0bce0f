"""What a run leaves on disk: the table and the plot."""

import csv
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
import seaborn as sns

from mnist_cnn.history import Epoch, plot_history, write_history


def epochs(accuracy: float) -> list[Epoch]:
    return [Epoch(number, 0.5 / number, accuracy, 0.4 / number, accuracy, 1.5, 0.25) for number in (1, 2, 3)]


def test_table_has_a_row_per_epoch(tmp_path):
    """The CSV names its columns and holds each run's epochs, to the last digit of their figures."""
    write_history(tmp_path / "history.csv", {"seed 0": epochs(1 / 3), "seed 1": epochs(0.7)[:1]})
    with (tmp_path / "history.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows == [
        ["run", "epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "train_s", "evaluate_s"],
        ["seed 0", "1", "0.5", "0.3333333333333333", "0.4", "0.3333333333333333", "1.5", "0.25"],
        ["seed 0", "2", "0.25", "0.3333333333333333", "0.2", "0.3333333333333333", "1.5", "0.25"],
        ["seed 0", "3", repr(0.5 / 3), "0.3333333333333333", repr(0.4 / 3), "0.3333333333333333", "1.5", "0.25"],
        ["seed 1", "1", "0.5", "0.7", "0.4", "0.7", "1.5", "0.25"],
    ]


@pytest.mark.parametrize("accuracy", [0.15, 0.6, 0.95, 0.99])
def test_plot_shows_the_curves_of_every_run(tmp_path, accuracy):
    """Loss and accuracy of both runs are drawn, each run in its colour, however bad the accuracy is."""
    better = [
        replace(epoch, train_loss=epoch.train_loss / 2, test_loss=epoch.test_loss / 2) for epoch in epochs(accuracy)
    ]
    plot_history(tmp_path / "history.png", {"seed 0": epochs(accuracy - 0.03), "seed 1": better}, "runs")
    pixels = matplotlib.image.imread(tmp_path / "history.png")[..., :3]
    for panel in np.array_split(pixels, 2, axis=1):
        for colour in sns.color_palette("colorblind", 2):
            of_its_colour = np.abs(panel - colour).max(axis=-1) < 0.02
            assert of_its_colour.any(axis=0).sum() > 300  # columns: a curve's width, not a legend's
