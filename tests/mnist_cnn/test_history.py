"""What a run leaves on disk: the table and the plot."""

import csv

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
def test_plot_shows_both_panels_curves(tmp_path, accuracy):
    """Loss and accuracy curves of both runs are drawn in their own colours, however bad the accuracy is."""
    plot_history(tmp_path / "history.png", {"seed 0": epochs(accuracy), "seed 1": epochs(accuracy - 0.1)}, "runs")
    pixels = matplotlib.image.imread(tmp_path / "history.png")[..., :3]
    left, right = np.array_split(pixels, 2, axis=1)
    palette = sns.color_palette("colorblind", 2)
    visible = palette if accuracy - 0.1 < 0.9 else palette[:1]
    for panel in (left, right):
        for colour in visible:
            assert (np.abs(panel - colour).max(axis=-1) < 0.02).sum() > 300
